package pickle

import (
	"slices"
	"unicode/utf8"
)

// class returns the class that a GLOBAL names.
func (m *machine) class(module, name string) (Class, error) {
	if module == "" || name == "" {
		return Class{}, syntaxf("a class without module or name")
	}
	for _, s := range []string{module, name} {
		if !utf8.ValidString(s) {
			return Class{}, ErrUTF8
		}
	}
	c := Class{module, name}
	if m.protocol < 3 {
		c = c.inPython3()
	}
	return c, nil
}

func (m *machine) stackGlobal() error {
	names, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok := names[0].(string)
	name, also := names[1].(string)
	if !ok || !also {
		return syntaxf("the module and name of a class are not strs")
	}
	c, err := m.class(module, name)
	if err != nil {
		return err
	}
	return m.push(c)
}

// isCallee reports whether Python might be able to call a value.
func isCallee(v any) bool {
	if _, ok := v.(Class); ok {
		return true
	}
	return kindOf(v, objectNode) != nil
}

// make pushes the result of a call, or of making an instance.
func (m *machine) make(form Form, callee, args, keywords any) error {
	if !isCallee(callee) {
		return syntaxf("a call of a value other than a class")
	}
	items, ok := tupleItems(args)
	if !ok {
		return syntaxf("the arguments of a call are not a tuple")
	}
	if c, ok := callee.(Class); ok && form == Call {
		v, err := m.plain(c, items)
		if err != nil {
			return err
		}
		if v != nil {
			return m.push(v)
		}
	}
	return m.push(&node{kind: objectNode, at: m.at, draft: &draft{form: form, callee: callee, args: args, keywords: keywords}})
}

func (m *machine) reduce() error {
	v, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.make(Call, v[0], v[1], nil)
}

func (m *machine) newObj() error {
	v, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.make(New, v[0], v[1], nil)
}

func (m *machine) newObjEx() error {
	v, err := m.popN(3)
	if err != nil {
		return err
	}
	if kindOf(v[2], dictNode) == nil {
		return syntaxf("the keyword arguments are not a dict")
	}
	return m.make(New, v[0], v[1], v[2])
}

// obj makes an instance. The class, and after it the arguments, lie above the mark.
func (m *machine) obj() error {
	v, err := m.popMark()
	if err != nil {
		return err
	}
	if len(v) == 0 {
		return errStack
	}
	return m.instance(v[0], v[1:])
}

// inst is obj for a class that follows the opcode in two lines.
func (m *machine) inst() error {
	c, err := m.classLines()
	if err != nil {
		return err
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	return m.instance(c, args)
}

func (m *machine) instance(class any, args []any) error {
	tuple := &node{kind: tupleNode, at: m.at, items: slices.Clone(args)}
	return m.make(Instance, class, tuple, nil)
}

// build gives an object its state. Python writes at most one state, and never None.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	n := kindOf(v, objectNode)
	switch {
	case n == nil:
		return unsupportedf("a state for a value other than an object")
	case state == nil:
		return unsupportedf("a state of None")
	case n.draft.state != nil:
		return unsupportedf("a second state of an object")
	}
	n.draft.state = state
	return nil
}

// discard pops a value. Python discards a tuple that contains itself, and the result of
// a function that sets the state of an object.
func (m *machine) discard() error {
	if len(m.marks) > 0 && len(m.stack) == m.floor() {
		m.marks = m.marks[:len(m.marks)-1] // a mark counts as a value here
		return nil
	}
	v, err := m.pop()
	if err != nil {
		return err
	}
	if n := kindOf(v, objectNode); n != nil && m.setsState(n) {
		return nil
	}
	return droppable(v)
}

func (m *machine) discardMark() error {
	values, err := m.popMark()
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := droppable(v); err != nil {
			return err
		}
	}
	return nil
}

// droppable fails if v is a call that would be lost: Python would make the call for its
// effect.
func droppable(v any) error {
	if n := kindOf(v, objectNode); n != nil && !n.stored {
		return unsupportedf("a call whose result is discarded")
	}
	return nil
}

// setsState reports whether call sets the state of the object on top of the stack. If
// so, it stores the state and the setter in the object.
func (m *machine) setsState(call *node) bool {
	v, err := m.top()
	if err != nil || call.stored || call.draft.form != Call || call.items != nil || call.draft.pairs != nil || call.draft.state != nil {
		return false
	}
	object := kindOf(v, objectNode)
	args, _ := tupleItems(call.draft.args)
	if object == nil || object.draft.state != nil || len(args) != 2 || args[0] != any(object) || args[1] == nil {
		return false
	}
	object.draft.setter, object.draft.state = call.draft.callee, args[1]
	return true
}
