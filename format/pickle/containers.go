package pickle

import "slices"

// tupleOf makes a tuple of the n values on top of the stack.
func (m *machine) tupleOf(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	return m.pushNode(tupleNode, slices.Clone(items))
}

func (m *machine) tuple() error {
	if len(m.marks) > 0 && len(m.stack) == m.floor() {
		m.marks = m.marks[:len(m.marks)-1]
		return m.push(Tuple{})
	}
	return m.marked(tupleNode)
}

// marked makes a node of the given kind from the values above the mark.
func (m *machine) marked(kind nodeKind) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.pushNode(kind, slices.Clone(items))
}

func (m *machine) append() error {
	items, err := m.popN(1)
	if err != nil {
		return err
	}
	return m.extend(items)
}

func (m *machine) appends() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	return m.extend(items)
}

// extend appends to the list or object on top of the stack.
func (m *machine) extend(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	n, ok := v.(*node)
	switch {
	case ok && n.kind == listNode:
	case ok && n.kind == objectNode:
		if n.draft.pairs != nil || n.draft.state != nil {
			return unsupportedf("items appended to an object that already has pairs or a state")
		}
	default:
		return unsupportedf("items appended to a value other than a list or an object")
	}
	n.items = append(n.items, items...)
	return nil
}

func (m *machine) dict() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return syntaxf("a key without a value")
	}
	return m.pushNode(dictNode, slices.Clone(items))
}

func (m *machine) setItem() error {
	pair, err := m.popN(2)
	if err != nil {
		return err
	}
	return m.setPairs(pair)
}

func (m *machine) setItems() error {
	pairs, err := m.popMark()
	if err != nil {
		return err
	}
	if len(pairs)%2 != 0 {
		return syntaxf("a key without a value")
	}
	return m.setPairs(pairs)
}

// setPairs sets keys of the dict or object on top of the stack.
func (m *machine) setPairs(pairs []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	n, ok := v.(*node)
	switch {
	case ok && n.kind == dictNode:
		n.items = append(n.items, pairs...)
	case ok && n.kind == objectNode && n.draft.state == nil:
		n.draft.pairs = append(n.draft.pairs, pairs...)
	case ok && n.kind == objectNode:
		return unsupportedf("keys of an object set after its state")
	default:
		return unsupportedf("keys set in a value other than a dict or an object")
	}
	return nil
}

func (m *machine) addItems() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	n := kindOf(v, setNode)
	if n == nil {
		return unsupportedf("items added to a value other than a set")
	}
	n.items = append(n.items, items...)
	return nil
}
