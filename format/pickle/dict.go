package pickle

import "iter"

// A Dict is a Python dict: it keeps its keys in the order in which they were added, and
// finds them as Python does, so that 1, 1.0 and true are one key. NaN is never found.
// A key must be hashable in Python: not a list, dict, set or bytearray, nor a tuple
// that contains one. Two [Object] keys are one key only if they are the same pointer,
// since only Python's class could define another equality. A key must not be changed
// while it is in a dict.
//
// The zero Dict is empty and ready to use. Several goroutines may read a Dict at the
// same time, as long as no goroutine changes it.
type Dict struct{ t table }

// A Pair is a key of a dict and its value.
type Pair struct{ Key, Value any }

// NewDict makes a dict. The error is [ErrKey].
func NewDict(pairs ...Pair) (*Dict, error) {
	d := &Dict{}
	for _, p := range pairs {
		if err := d.Set(p.Key, p.Value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// read returns the table for reading. For a nil Dict the table is empty.
func (d *Dict) read() *table {
	if d == nil {
		return &table{}
	}
	return &d.t
}

// Len returns the number of keys. A nil Dict has none.
func (d *Dict) Len() int { return d.read().len() }

// Get returns the value of a key, and reports whether the key is there.
func (d *Dict) Get(key any) (value any, ok bool) {
	t := d.read()
	i := t.lookup(key)
	if i < 0 {
		return nil, false
	}
	return t.entries[i].value, true
}

// Set stores a value for a key. An equal key that the dict already has stays, in its
// place: after Set(true, "x") the key 1 is still 1. The error is [ErrKey].
func (d *Dict) Set(key, value any) error { return d.t.set(key, value) }

// Delete removes a key and reports whether it was there.
func (d *Dict) Delete(key any) bool { return d.read().delete(key) }

// All yields keys and values in order. The dict must not change during the iteration.
func (d *Dict) All() iter.Seq2[any, any] { return d.read().all() }

// A Set is a Python set, with the items in the order in which they were added. The
// rules for the keys of a [Dict] hold for the items. The zero Set is empty.
type Set struct{ t table }

// NewSet makes a set. The error is [ErrKey].
func NewSet(items ...any) (*Set, error) {
	s := &Set{}
	for _, item := range items {
		if err := s.Add(item); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// read returns the table for reading. For a nil Set the table is empty.
func (s *Set) read() *table {
	if s == nil {
		return &table{}
	}
	return &s.t
}

// Len returns the number of items.
func (s *Set) Len() int { return s.read().len() }

// Has reports whether an item is in the set.
func (s *Set) Has(item any) bool { return s.read().lookup(item) >= 0 }

// Add adds an item, unless the set has an equal one. The error is [ErrKey].
func (s *Set) Add(item any) error { return s.t.set(item, nil) }

// Delete removes an item and reports whether it was there.
func (s *Set) Delete(item any) bool { return s.read().delete(item) }

// All yields the items in order. The set must not change during the iteration.
func (s *Set) All() iter.Seq[any] { return s.read().keys() }

// A FrozenSet is a Python frozenset: a [Set] that does not change and that can be a key.
// The zero FrozenSet is empty.
type FrozenSet struct {
	t    table
	hash uint64
}

// NewFrozenSet makes a frozenset. The error is [ErrKey].
func NewFrozenSet(items ...any) (*FrozenSet, error) {
	s := &FrozenSet{}
	for _, item := range items {
		if err := s.t.set(item, nil); err != nil {
			return nil, err
		}
	}
	for _, e := range s.t.entries {
		s.hash += mix(e.hash) // in any order
	}
	return s, nil
}

// read returns the table for reading. For a nil FrozenSet the table is empty.
func (s *FrozenSet) read() *table {
	if s == nil {
		return &table{}
	}
	return &s.t
}

// Len returns the number of items.
func (s *FrozenSet) Len() int { return s.read().len() }

// Has reports whether an item is in the set.
func (s *FrozenSet) Has(item any) bool { return s.read().lookup(item) >= 0 }

// All yields the items in order.
func (s *FrozenSet) All() iter.Seq[any] { return s.read().keys() }
