package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func all(records []Record) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *smallLog) audit(c Checkpoint) error {
	a := &Auditor{Stored: l.stored}
	return a.Audit(all(l.records), c)
}

// faultAt returns the Fault in err, or fails.
func faultAt(t *testing.T, err error, why string) *Fault {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("%s: %v is not a fault", why, err)
	}
	return f
}

func TestAuditOfAnHonestLog(t *testing.T) {
	for n := range 30 {
		l := newLog(t, n)
		c, _ := l.checkpoint(t, int64(n))
		a := &Auditor{Stored: l.stored}
		if err := a.Audit(all(l.records), c); err != nil {
			t.Fatalf("%d leaves: %v", n, err)
		}
		for range a.Chains() {
			break // a reader may stop early
		}
		total := int64(0)
		for ch := range a.Chains() {
			total += ch.Len
		}
		if a.Size() != int64(n) || a.Withheld() != 0 || total != int64(n) {
			t.Errorf("%d leaves: size %d, withheld %d, in chains %d", n, a.Size(), a.Withheld(), total)
		}
	}
}

// Any byte of any leaf, salt, body or stored hash changed, and the audit names
// the leaf.
func TestAuditFlips(t *testing.T) {
	const n = 13
	l := newLog(t, n)
	c, _ := l.checkpoint(t, n)
	if err := l.audit(c); err != nil {
		t.Fatal(err)
	}
	expect := func(leaf int, what string, at int) {
		t.Helper()
		f := faultAt(t, l.audit(c), fmt.Sprintf("%s of leaf %d, byte %d", what, leaf, at))
		if f.Index != int64(leaf) {
			t.Errorf("%s of leaf %d, byte %d: the fault is said to be at %d: %v", what, leaf, at, f.Index, f)
		}
	}
	for i, r := range l.records {
		flips(r.Leaf, func(at int, changed []byte) {
			l.records[i].Leaf = changed
			expect(i, "leaf", at)
			// The checkpoint alone finds it too, if not always where.
			if err := (&Auditor{}).Audit(all(l.records), c); err == nil {
				t.Errorf("leaf %d, byte %d: not found without stored hashes", i, at)
			}
		})
		l.records[i] = r
		flips(r.Salt, func(at int, changed []byte) { l.records[i].Salt = changed; expect(i, "salt", at) })
		l.records[i] = r
		flips(r.Body, func(at int, changed []byte) { l.records[i].Body = changed; expect(i, "body", at) })
		l.records[i] = r
		for j := Stored(int64(i)); j < Stored(int64(i)+1); j++ {
			good := l.stored[j]
			flips(good[:], func(at int, changed []byte) { l.stored[j] = Hash(changed); expect(i, "stored hash", at) })
			l.stored[j] = good
		}
	}
	for name, bad := range map[string]Checkpoint{
		"another root": {testOrigin, Head{n, Hash{}}},
		"one more":     {testOrigin, Head{n + 1, c.Root}},
		"one less":     {testOrigin, Head{n - 1, c.Root}},
	} {
		faultAt(t, l.audit(bad), name)
	}
	if err := l.audit(c); err != nil {
		t.Fatalf("put back: %v", err)
	}
}

func TestAuditOfMovedLeaves(t *testing.T) {
	l := newLog(t, 13)
	c, _ := l.checkpoint(t, 13)
	good := l.records
	for name, change := range map[string]struct {
		records []Record
		at      int64
	}{
		"first missing": {slices.Concat(good[1:]), 0},
		"missing":       {slices.Concat(good[:6], good[7:]), 6},
		"twice":         {slices.Concat(good[:6], good[5:]), 6},
		"swapped":       {slices.Concat(good[:6], good[7:8], good[6:7], good[8:]), 6},
		"last missing":  {good[:12], 12},
		"one more":      {slices.Concat(good, good[:1]), 13},
		"body missing":  {slices.Concat(good[:4], []Record{{Leaf: good[4].Leaf}}, good[5:]), 4},
		"salt missing":  {slices.Concat(good[:4], []Record{{Leaf: good[4].Leaf, Body: good[4].Body}}, good[5:]), 4},
	} {
		l.records = change.records
		if f := faultAt(t, l.audit(c), name); f.Index != change.at {
			t.Errorf("%s: found at %d, want %d: %v", name, f.Index, change.at, f)
		}
	}
}

// Who can write the whole store can make it agree with itself, but not with
// what was signed: the fault is then between two checkpoints.
func TestAuditOfARewrittenLog(t *testing.T) {
	l := newLog(t, 13)
	at5, _ := l.checkpoint(t, 5)
	at13, _ := l.checkpoint(t, 13)

	leaf, err := ParseLeaf(l.leaves[9])
	if err != nil {
		t.Fatal(err)
	}
	l.records[9].Body = []byte(`{"n":9,"tenant":"never happened"}`)
	leaf.Commit = Commit(l.records[9].Salt, l.records[9].Body)
	if l.leaves[9], err = leaf.Marshal(); err != nil {
		t.Fatal(err)
	}
	l.records[9].Leaf = l.leaves[9]
	l.restore(t)

	f := faultAt(t, l.audit(at13), "one checkpoint")
	if f.Index != 0 {
		t.Errorf("one checkpoint: fault at %d", f.Index)
	}
	a := &Auditor{Stored: l.stored}
	for i, r := range l.records {
		if i == 5 {
			if err := a.Against(at5); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	f = faultAt(t, a.Against(at13), "two checkpoints")
	if f.Index != 5 || !strings.Contains(f.Error(), "from here to leaf 12") {
		t.Errorf("two checkpoints: %v", f)
	}
	// A fault is for good.
	if err := a.Against(at13); !errors.Is(err, f) {
		t.Errorf("asked again: %v", err)
	}
	if err := a.Add(l.records[0]); !errors.Is(err, f) {
		t.Errorf("asked for more: %v", err)
	}
}

// A tenant sees its own bodies only, and knows how much it did not see.
func TestAuditWithWithheldBodies(t *testing.T) {
	l := newLog(t, 13)
	c, _ := l.checkpoint(t, 13)
	mine := Tag(testOrigin, "acme")
	withheld := int64(0)
	for i, r := range l.records {
		if leaf, _ := ParseLeaf(r.Leaf); leaf.Tag != mine {
			l.records[i] = Record{Leaf: r.Leaf}
			withheld++
		}
	}
	a := &Auditor{Stored: l.stored, MayWithhold: func(l Leaf) bool { return l.Tag != mine }}
	if err := a.Audit(all(l.records), c); err != nil || a.Withheld() != withheld {
		t.Errorf("%v, %d withheld, want %d", err, a.Withheld(), withheld)
	}
	i := slices.IndexFunc(l.records, func(r Record) bool { return r.Body != nil })
	l.records[i] = Record{Leaf: l.records[i].Leaf}
	a = &Auditor{Stored: l.stored, MayWithhold: func(l Leaf) bool { return l.Tag != mine }}
	if f := faultAt(t, a.Audit(all(l.records), c), "own body withheld"); f.Index != int64(i) || f.Kind != "workload.moved" {
		t.Errorf("own body withheld: %v", f)
	}
}

func TestAuditInspects(t *testing.T) {
	l := newLog(t, 13)
	c, _ := l.checkpoint(t, 13)
	bad := errors.New("does not add up")
	a := &Auditor{Inspect: func(l Leaf, body []byte) error {
		if bytes.Contains(body, []byte(`"n":8`)) {
			return bad
		}
		return nil
	}}
	err := a.Audit(all(l.records), c)
	if f := faultAt(t, err, "inspect"); f.Index != 8 || !errors.Is(err, bad) || !strings.Contains(err.Error(), "leaf 8 (workload.moved)") {
		t.Errorf("inspect: %v", err)
	}
}

func TestAuditOfABrokenStore(t *testing.T) {
	l := newLog(t, 13)
	c, _ := l.checkpoint(t, 13)
	for name, r := range map[string]HashReader{"broken": broken, "short": short} {
		a := &Auditor{Stored: r}
		if f := faultAt(t, a.Audit(all(l.records), c), name); f.Index != 0 {
			t.Errorf("%s: %v", name, f)
		}
	}
	err := (&Auditor{}).Audit(func(yield func(Record, error) bool) {
		_ = yield(l.records[0], nil) && yield(Record{}, errBroken)
	}, c)
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "leaf 1") {
		t.Errorf("records cannot be read: %v", err)
	}
}

// A damaged stored hash is found also when a later leaf is wrong first, and in
// logs longer than one reading.
func TestAuditNamesTheEarliest(t *testing.T) {
	const n = 600
	l := newLog(t, n)
	c, _ := l.checkpoint(t, n)
	if err := l.audit(c); err != nil {
		t.Fatal(err)
	}
	good := l.stored[Stored(300)]
	l.stored[Stored(300)] = Hash{}
	l.records[303].Body = nil
	if f := faultAt(t, l.audit(c), "two faults"); f.Index != 300 {
		t.Errorf("two faults: found the one at %d first", f.Index)
	}
	l.stored[Stored(300)] = good
	if f := faultAt(t, l.audit(c), "one fault"); f.Index != 303 {
		t.Errorf("one fault: found at %d", f.Index)
	}
}

// A tenant's own leaves show that none between them is missing.
func TestChain(t *testing.T) {
	l := newLog(t, 30)
	var mine []Leaf
	for _, b := range l.leaves {
		if leaf, _ := ParseLeaf(b); leaf.Tag == Tag(testOrigin, "acme") {
			mine = append(mine, leaf)
		}
	}
	follow := func(ls []Leaf) error {
		var c Chain
		for _, l := range ls {
			if err := c.Next(l); err != nil {
				return err
			}
		}
		return nil
	}
	if err := follow(mine); err != nil || len(mine) < 5 {
		t.Fatalf("%d leaves: %v", len(mine), err)
	}
	rapid.Check(t, func(t *rapid.T) {
		// Any choice of the leaves in any order is refused, unless it is the
		// first so many in theirs.
		some := rapid.Permutation(mine).Draw(t, "leaves")[:rapid.IntRange(0, len(mine)).Draw(t, "n")]
		if err := follow(some); (err == nil) != slices.Equal(some, mine[:len(some)]) {
			t.Fatalf("%+v: %v", some, err)
		}
	})
	foreign := mine[1]
	foreign.Tag = Tag(testOrigin, "globex")
	if err := follow([]Leaf{mine[0], foreign}); err == nil {
		t.Error("another tenant's leaf is taken")
	}
	early := mine[1]
	early.Seq = mine[0].Seq
	if err := follow([]Leaf{mine[0], early}); err == nil {
		t.Error("two leaves of one index are taken")
	}
	wrong := mine[2]
	wrong.TenantPrev = mine[0].Seq
	if err := follow([]Leaf{mine[0], mine[1], wrong}); err == nil {
		t.Error("a leaf that skips the one before is taken")
	}
}

// A log that signs what it should not have written is found out by its leaves
// alone, as store, root and checkpoint all agree.
func TestAuditOfASignedLie(t *testing.T) {
	for want, lie := range map[string]func(leaves []Leaf, records []Record){
		"number 7":                 func(ls []Leaf, _ []Record) { ls[4].Seq = 7 },
		"number 3 of tenant":       func(ls []Leaf, _ []Record) { ls[4].TenantSeq = 3 },
		"leaf 3 is the one before": func(ls []Leaf, _ []Record) { ls[4].TenantPrev = 3 },
		"number 0 of tenant":       func(ls []Leaf, _ []Record) { ls[4].TenantSeq, ls[4].TenantPrev = 0, -1 },
		"its salt has 31": func(ls []Leaf, rs []Record) {
			rs[4].Salt = rs[4].Salt[1:]
			ls[4].Commit = Commit(rs[4].Salt, rs[4].Body)
		},
		"not those it commits to":                         func(ls []Leaf, _ []Record) { ls[4].Commit = Hash{} },
		"its body is missing":                             func(_ []Leaf, rs []Record) { rs[4].Salt, rs[4].Body = nil, nil },
		"number 2 of tenant " + Tag(testOrigin, "nobody"): func(ls []Leaf, _ []Record) { ls[4].Tag = Tag(testOrigin, "nobody") },
		"its salt and body are not th":                    func(_ []Leaf, rs []Record) { rs[4].Body = nil },
	} {
		l := newLog(t, 0)
		var leaves []Leaf
		for i := range int64(6) {
			salt, body := bytes.Repeat([]byte{byte(i)}, SaltSize), []byte("{}")
			leaves = append(leaves, Leaf{1, i, i, Tag(testOrigin, []string{"acme", "globex"}[i%2]), "k", i / 2, max(i-2, -1), Commit(salt, body)})
			l.records = append(l.records, Record{Salt: salt, Body: body})
		}
		lie(leaves, l.records)
		for i, leaf := range leaves {
			l.records[i].Leaf = leaf.append(nil) // not Marshal: the liar need not keep its rules
			l.leaves = append(l.leaves, l.records[i].Leaf)
		}
		l.restore(t)
		c, _ := l.checkpoint(t, 6)
		f := faultAt(t, l.audit(c), want)
		if f.Index != 4 || !strings.Contains(f.Error(), want) || !strings.HasPrefix(f.Error(), "leaf 4 (k): ") {
			t.Errorf("%s: %v", want, f)
		}
	}
	// A leaf that cannot be read has no kind to name.
	err := (&Auditor{}).Add(Record{Leaf: []byte("x")})
	if f := faultAt(t, err, "no leaf"); f.Kind != "" || !strings.HasPrefix(f.Error(), "leaf 0: ") {
		t.Errorf("no leaf: %v", f)
	}
}

// The audit of a long log holds and reads a little at a time, and stops at the
// first fault.
func TestAuditStreams(t *testing.T) {
	const n = 600
	l := newLog(t, n)
	c, _ := l.checkpoint(t, n)
	calls, most := 0, 0
	a := &Auditor{Stored: HashReaderFunc(func(i []int64) ([]Hash, error) {
		calls++
		most = max(most, len(i))
		return l.stored.ReadHashes(i)
	})}
	if err := a.Audit(all(l.records), c); err != nil || calls < 2 || most > dueAtOnce+64 {
		t.Errorf("%v, %d reads of up to %d hashes", err, calls, most)
	}
	l.records[3].Body = nil
	taken := 0
	err := (&Auditor{}).Audit(func(yield func(Record, error) bool) {
		for _, r := range l.records {
			if taken++; !yield(r, nil) {
				return
			}
		}
	}, c)
	if faultAt(t, err, "stop"); taken != 4 {
		t.Errorf("took %d leaves to find a fault in the fourth", taken)
	}
}
