package store

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// key is the key of any row of the memory store: as many of its parts as a
// table needs, compared in this order.
type key struct {
	a string
	n int64
	b string
	m int64
	c string
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.a, o.a), cmp.Compare(k.n, o.n), cmp.Compare(k.b, o.b), cmp.Compare(k.m, o.m), cmp.Compare(k.c, o.c))
}

// table is rows in the order of their keys, in chunks, so that a row in the
// middle moves few others. Rows are never changed in place: a new one takes
// the old one's place, and undo puts the old one back.
type table[V any] struct {
	chunks [][]item[V] // none is empty
	len    int
	undo   *undo
}

type item[V any] struct {
	key key
	row *V
}

// chunkMost is how many rows a chunk holds before it is cut in two.
const chunkMost = 256

// undo is what takes back the open transaction, last step first.
type undo []func()

func (u *undo) rollback() {
	for _, f := range slices.Backward(*u) {
		f()
	}
	*u = nil
}

// spot is a place in a table.
type spot struct{ chunk, at int }

// find returns where k is, or where it belongs.
func (t *table[V]) find(k key) (spot, bool) {
	if len(t.chunks) == 0 {
		return spot{}, false
	}
	// The last chunk whose first key is not above k.
	c, exact := slices.BinarySearchFunc(t.chunks, k, func(c []item[V], k key) int { return c[0].key.compare(k) })
	if exact {
		return spot{c, 0}, true
	}
	c = max(c-1, 0)
	at, ok := slices.BinarySearchFunc(t.chunks[c], k, func(i item[V], k key) int { return i.key.compare(k) })
	return spot{c, at}, ok
}

func (t *table[V]) insert(s spot, i item[V]) {
	t.len++
	if len(t.chunks) == 0 {
		t.chunks = [][]item[V]{{i}}
		return
	}
	c := slices.Insert(t.chunks[s.chunk], s.at, i)
	if len(c) <= chunkMost {
		t.chunks[s.chunk] = c
		return
	}
	half := len(c) / 2
	if s.at == len(c)-1 {
		half = len(c) - 1 // keys that rise fill their chunks
	}
	t.chunks[s.chunk] = slices.Clone(c[:half])
	t.chunks = slices.Insert(t.chunks, s.chunk+1, slices.Clone(c[half:]))
}

func (t *table[V]) delete(s spot) {
	t.len--
	t.chunks[s.chunk] = slices.Delete(t.chunks[s.chunk], s.at, s.at+1)
	if len(t.chunks[s.chunk]) == 0 {
		t.chunks = slices.Delete(t.chunks, s.chunk, s.chunk+1)
	}
}

// get returns a row and whether it is there.
func (t *table[V]) get(k key) (v V, ok bool) {
	s, ok := t.find(k)
	if !ok {
		return v, false
	}
	return *t.chunks[s.chunk][s.at].row, true
}

func (t *table[V]) has(k key) bool {
	_, ok := t.find(k)
	return ok
}

// put adds a row or replaces it.
func (t *table[V]) put(k key, v V) {
	s, ok := t.find(k)
	if ok {
		old := t.chunks[s.chunk][s.at].row
		t.chunks[s.chunk][s.at].row = &v
		*t.undo = append(*t.undo, func() {
			s, _ := t.find(k)
			t.chunks[s.chunk][s.at].row = old
		})
		return
	}
	t.insert(s, item[V]{k, &v})
	*t.undo = append(*t.undo, func() {
		s, _ := t.find(k)
		t.delete(s)
	})
}

// remove drops a row; it need not be there.
func (t *table[V]) remove(k key) {
	s, ok := t.find(k)
	if !ok {
		return
	}
	old := t.chunks[s.chunk][s.at]
	t.delete(s)
	*t.undo = append(*t.undo, func() {
		s, _ := t.find(k)
		t.insert(s, old)
	})
}

// after returns the rows from k on, without k itself.
func (t *table[V]) after(k key) iter.Seq2[key, V] {
	return func(yield func(key, V) bool) {
		s, ok := t.find(k)
		if ok {
			s.at++
		}
		for ; s.chunk < len(t.chunks); s = (spot{s.chunk + 1, 0}) {
			for _, i := range t.chunks[s.chunk][s.at:] {
				if !yield(i.key, *i.row) {
					return
				}
			}
		}
	}
}

// before returns the rows up to k, without k itself, the last one first.
func (t *table[V]) before(k key) iter.Seq2[key, V] {
	return func(yield func(key, V) bool) {
		s, _ := t.find(k)
		for c := min(s.chunk, len(t.chunks)-1); c >= 0; c-- {
			rows := t.chunks[c]
			if c == s.chunk {
				rows = rows[:s.at]
			}
			for _, i := range slices.Backward(rows) {
				if !yield(i.key, *i.row) {
					return
				}
			}
		}
	}
}

// all returns all rows.
func (t *table[V]) all() iter.Seq2[key, V] { return t.after(key{n: math.MinInt64}) }
