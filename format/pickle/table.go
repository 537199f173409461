package pickle

import "iter"

// A table is the inside of dicts and sets. It finds values by keys that are equal as in
// Python, and keeps them in the order in which the keys were added.
type table struct {
	entries []entry
	first   map[uint64]int32 // the entries by hash, once there are more than a few
	gone    int              // the number of deleted entries
}

type entry struct {
	hash       uint64
	next       int32 // the next entry with this hash, -1 after the last
	deleted    bool
	key, value any
}

// few is the number of entries up to which a search without a map is faster.
const few = 8

func (t *table) len() int { return len(t.entries) - t.gone }

// find returns the index of the entry with this key, -1 without one.
func (t *table) find(hash uint64, key any) int {
	if t.first == nil {
		for i := range t.entries {
			if t.entries[i].is(hash, key) {
				return i
			}
		}
		return -1
	}
	i, ok := t.first[hash]
	for ok && i >= 0 {
		if t.entries[i].is(hash, key) {
			return int(i)
		}
		i = t.entries[i].next
	}
	return -1
}

func (e *entry) is(hash uint64, key any) bool {
	return !e.deleted && e.hash == hash && equalKeys(e.key, key)
}

// lookup is find for a key of any kind.
func (t *table) lookup(key any) int {
	h, ok := hash(key, maxKeyDepth)
	if !ok {
		return -1
	}
	return t.find(h, key)
}

// maxKeyDepth bounds the tuples in tuples of a key. Tuples in a pickle have a limit of
// their own, but tuples that a program makes could contain themselves.
const maxKeyDepth = 100_000

// set stores a value for a key. An equal key that the table already has keeps its place,
// as in Python.
func (t *table) set(key, value any) error {
	h, ok := hash(key, maxKeyDepth)
	if !ok {
		return wrapf(ErrKey, "%s", typeName(key))
	}
	if i := t.find(h, key); i >= 0 {
		t.entries[i].value = value
		return nil
	}
	t.add(entry{hash: h, next: -1, key: key, value: value})
	return nil
}

// add adds an entry whose key the table does not have yet.
func (t *table) add(e entry) {
	t.entries = append(t.entries, e)
	if t.first == nil && len(t.entries) > few {
		t.first = make(map[uint64]int32, 2*few)
		for i := range t.entries[:len(t.entries)-1] {
			t.link(i)
		}
	}
	if t.first != nil {
		t.link(len(t.entries) - 1)
	}
}

// link adds entry i to the entries that find reaches by their hash.
func (t *table) link(i int) {
	e := &t.entries[i]
	e.next = -1
	if next, ok := t.first[e.hash]; ok {
		e.next = next
	}
	t.first[e.hash] = int32(i)
}

// delete removes a key and reports whether it was there. The entries move up only when
// more than half of them are deleted, so that each deletion costs little.
func (t *table) delete(key any) bool {
	i := t.lookup(key)
	if i < 0 {
		return false
	}
	t.entries[i].deleted, t.entries[i].key, t.entries[i].value = true, nil, nil
	t.gone++
	if t.gone > few && t.gone > len(t.entries)/2 {
		left := table{}
		for _, e := range t.entries {
			if !e.deleted {
				left.add(e)
			}
		}
		*t = left
	}
	return true
}

func (t *table) all() iter.Seq2[any, any] {
	return func(yield func(key, value any) bool) {
		for _, e := range t.entries {
			if !e.deleted && !yield(e.key, e.value) {
				return
			}
		}
	}
}

// keys is all without the values.
func (t *table) keys() iter.Seq[any] {
	return func(yield func(key any) bool) {
		for key := range t.all() {
			if !yield(key) {
				return
			}
		}
	}
}
