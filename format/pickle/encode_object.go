package pickle

import (
	"strings"
)

// class writes a reference to a class. From the second time on it refers to the memo.
func (e *encoder) class(c Class) error {
	if p, ok := e.classes[c]; ok {
		e.again(p)
		return nil
	}
	if c.Module == "" || c.Name == "" {
		return valuef("a Class without module or name")
	}
	var err error
	if e.protocol >= 4 {
		err = e.stackGlobal(c)
	} else {
		err = e.global(c)
	}
	if e.classes == nil {
		e.classes = map[Class]*place{}
	}
	e.classes[c] = &place{end: len(e.buf), number: -1}
	return err
}

func (e *encoder) stackGlobal(c Class) error {
	if err := e.text(c.Module); err != nil {
		return err
	}
	err := e.text(c.Name)
	e.put(opStackGlobal)
	return err
}

// global writes a class for protocol 2. A nested class is written as an attribute. A
// class with another name in Python 2 gets that name.
func (e *encoder) global(c Class) error {
	if strings.Count(c.Name, ".") > maxNesting {
		return unsupportedf("protocol 2 with the class %.40q", c.Name)
	}
	outer, inner, nested := cutLast(c.Name)
	if nested {
		return e.reduce(nil, classGetattr, func() error {
			if err := e.class(Class{c.Module, outer}); err != nil {
				return err
			}
			err := e.text(inner)
			e.put(opTuple2)
			return err
		})
	}
	old := c
	switch c.Module {
	case "builtins":
		old.Module = "__builtin__"
	case "copyreg":
		old.Module = "copy_reg"
	}
	if old.inPython3() != c {
		return unsupportedf("protocol 2 with the class %.40q, which Python would rename", c.String())
	}
	for _, s := range []string{c.Module, c.Name} {
		if strings.ContainsFunc(s, func(r rune) bool { return r == '\n' || r >= 0x80 }) {
			return unsupportedf("protocol 2 with the class %.40q", c.String())
		}
	}
	e.put(opGlobal)
	e.buf = append(e.buf, old.Module+"\n"+old.Name+"\n"...)
	return nil
}

// maxNesting is the number of classes that may lie in one another.
const maxNesting = 32

func cutLast(name string) (outer, inner string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || i == len(name)-1 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// object writes an object with its parts in Python's order: the call, items, pairs,
// state.
func (e *encoder) object(o *Object, p *place) error {
	if err := e.creation(o); err != nil {
		return err
	}
	e.written(p)
	if err := e.list(o.Items); err != nil {
		return inside(err, ".Items")
	}
	if err := e.pairs(o.Pairs); err != nil {
		return inside(err, ".Pairs")
	}
	return e.state(o, p)
}

// creation writes the call that makes the object.
func (e *encoder) creation(o *Object) error {
	switch {
	case o.Form > Instance:
		return valuef("the Form %d", o.Form)
	case o.Callee != nil && o.Class != (Class{}):
		return valuef("an Object with both Class and Callee")
	case o.Keywords != nil && o.Form != New:
		return valuef("an Object with Keywords whose Form is not New")
	case o.Form == Instance:
		return e.instance(o)
	case o.Keywords != nil:
		return e.newObjEx(o)
	}
	if err := e.callee(o); err != nil {
		return err
	}
	if err := e.value(o.args()); err != nil {
		return inside(err, ".Args")
	}
	if o.Form == New {
		e.put(opNewObj)
	} else {
		e.put(opReduce)
	}
	return nil
}

// args returns the arguments, never nil.
func (o *Object) args() Tuple {
	if o.Args == nil {
		return Tuple{}
	}
	return o.Args
}

func (e *encoder) callee(o *Object) error {
	if o.Callee != nil {
		return inside(e.value(o.Callee), ".Callee")
	}
	return inside(e.class(o.Class), ".Class")
}

func (e *encoder) instance(o *Object) error {
	e.put(opMark)
	if err := e.callee(o); err != nil {
		return err
	}
	for i, arg := range o.Args {
		if err := e.value(arg); err != nil {
			return inside(err, ".Args[%d]", i)
		}
	}
	e.put(opObj)
	return nil
}

// newObjEx writes an object with keyword arguments. Protocol 2 calls a function instead
// of the opcode.
func (e *encoder) newObjEx(o *Object) error {
	if e.protocol < 4 {
		if err := e.class(classNewObjEx); err != nil {
			return err
		}
	}
	if err := e.callee(o); err != nil {
		return err
	}
	if err := e.value(o.args()); err != nil {
		return inside(err, ".Args")
	}
	if err := e.value(o.Keywords); err != nil {
		return inside(err, ".Keywords")
	}
	if e.protocol < 4 {
		e.put(opTuple3, opReduce)
	} else {
		e.put(opNewObjEx)
	}
	return nil
}

func (e *encoder) state(o *Object, p *place) error {
	switch {
	case o.State == nil && o.Setter == nil:
		return nil
	case o.State == nil:
		return valuef("an Object with Setter, but without State")
	case o.Setter == nil:
		err := e.value(o.State)
		e.put(opBuild)
		return inside(err, ".State")
	}
	if c, ok := o.Setter.(Class); ok {
		if err := e.class(c); err != nil {
			return inside(err, ".Setter")
		}
	} else if setter, ok := o.Setter.(*Object); !ok || setter == nil {
		return inside(wrapf(ErrType, "%T, not a Class or an *Object", o.Setter), ".Setter")
	} else if err := e.value(setter); err != nil {
		return inside(err, ".Setter")
	}
	e.again(p)
	err := e.value(o.State)
	e.put(opTuple2, opReduce, opPop)
	return inside(err, ".State")
}
