package merkle

import (
	"errors"
	"fmt"
	"iter"
)

// Record is one leaf as the store hands it over: its canonical bytes and what
// they commit to. Salt and Body are both nil where the body is withheld: it
// is another tenant's, or was destroyed with its tenant's key.
type Record struct {
	Leaf []byte
	Salt []byte
	Body []byte
}

func (r Record) withheld() bool { return r.Salt == nil && r.Body == nil }

// Fault is the first thing found wrong in a log. Index is the leaf that it is
// in; for a wrong root, which does not say where, it is the first leaf that no
// earlier checkpoint vouches for. Kind is the leaf's, "" if it cannot be read.
type Fault struct {
	Index int64
	Kind  string
	Err   error
}

func (f *Fault) Error() string {
	if f.Kind == "" {
		return fmt.Sprintf("leaf %d: %v", f.Index, f.Err)
	}
	return fmt.Sprintf("leaf %d (%s): %v", f.Index, f.Kind, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// Chain follows the leaves of one tenant, so that a tenant can see from its own
// leaves alone that none between them is missing. The zero Chain awaits the
// first one.
type Chain struct {
	Tag  string // whose; taken from the first leaf
	Len  int64  // leaves so far
	Last int64  // Seq of the last one, if Len > 0
}

// Next takes the tenant's next leaf, and returns an error, without taking it,
// if it does not follow on the last one.
func (c *Chain) Next(l Leaf) error {
	prev := int64(noPrev)
	if c.Len > 0 {
		prev = c.Last
		if l.Tag != c.Tag {
			return fmt.Errorf("the leaf is of tenant %s, the chain of %s", l.Tag, c.Tag)
		}
	}
	if l.TenantSeq != c.Len {
		return fmt.Errorf("it is number %d of tenant %s, want %d: a leaf is missing, or is there twice", l.TenantSeq, l.Tag, c.Len)
	}
	if l.TenantPrev != prev {
		return fmt.Errorf("it says that leaf %d is the one before of tenant %s, want %d", l.TenantPrev, l.Tag, prev)
	}
	if l.Seq <= prev {
		return fmt.Errorf("it comes after leaf %d of tenant %s", prev, l.Tag)
	}
	*c = Chain{Tag: l.Tag, Len: c.Len + 1, Last: l.Seq}
	return nil
}

// Auditor checks a whole log, leaf by leaf from the first, and believes
// nothing that it is told but the checkpoints. The zero Auditor is ready and
// wants every body. After a fault it is done for: each call returns it again.
type Auditor struct {
	// Stored are the hashes as the store has them, each of which is compared
	// with the one that the leaves give; nil if there are none to compare.
	Stored HashReader

	// MayWithhold says which leaves may come without their body; nil: none may.
	MayWithhold func(Leaf) bool

	// Inspect checks a body that the leaf does commit to: that it is of the
	// leaf's kind and tenant, and adds up; nil: bodies are not read.
	Inspect func(l Leaf, body []byte) error

	tree     fringe
	chains   map[string]*Chain
	withheld int64
	vouched  int64 // size of the last checkpoint that agreed
	due      []due // computed, not yet compared with Stored
	fault    *Fault
}

// due is a computed hash that the store should have at a stored index.
type due struct {
	index int64
	hash  Hash
	leaf  int64
	kind  string
}

// dueAtOnce is how many hashes are read from the store in one call.
const dueAtOnce = 512

// Size returns how many leaves have been checked.
func (a *Auditor) Size() int64 { return a.tree.size }

// Withheld returns how many of them came without their body: those are known
// to be in their place, but not what they say.
func (a *Auditor) Withheld() int64 { return a.withheld }

// Chains yields each tenant's chain as it stands, in no fixed order.
func (a *Auditor) Chains() iter.Seq[Chain] {
	return func(yield func(Chain) bool) {
		for _, c := range a.chains {
			if !yield(*c) {
				return
			}
		}
	}
}

// Add checks the next record. Its error is a *Fault.
func (a *Auditor) Add(r Record) error {
	if a.fault != nil {
		return a.fault
	}
	n := a.tree.size
	l, err := ParseLeaf(r.Leaf)
	if err == nil {
		err = a.check(l, r)
	}
	if err != nil {
		// What the hashes of earlier leaves have to say comes first.
		if a.compare() == nil {
			a.fault = &Fault{n, l.Kind, err}
		}
		return a.fault
	}
	for i, h := range a.tree.add(nil, LeafHash(r.Leaf)) {
		if a.Stored != nil {
			a.due = append(a.due, due{Stored(n) + int64(i), h, n, l.Kind})
		}
	}
	if len(a.due) >= dueAtOnce {
		return a.compare()
	}
	return nil
}

func (a *Auditor) check(l Leaf, r Record) error {
	if l.Seq != a.tree.size {
		return fmt.Errorf("it says that it is number %d: a leaf is missing, moved, or there twice", l.Seq)
	}
	c := a.chains[l.Tag]
	if c == nil {
		c = &Chain{}
	}
	if err := c.Next(l); err != nil {
		return err
	}
	if a.chains == nil {
		a.chains = map[string]*Chain{}
	}
	a.chains[l.Tag] = c
	if r.withheld() {
		if a.MayWithhold == nil || !a.MayWithhold(l) {
			return errors.New("its body is missing")
		}
		a.withheld++
		return nil
	}
	if len(r.Salt) != SaltSize {
		return fmt.Errorf("its salt has %d bytes, want %d", len(r.Salt), SaltSize)
	}
	if Commit(r.Salt, r.Body) != l.Commit {
		return errors.New("its salt and body are not those it commits to")
	}
	if a.Inspect != nil {
		if err := a.Inspect(l, r.Body); err != nil {
			return fmt.Errorf("its body: %w", err)
		}
	}
	return nil
}

// compare reads what the store has for the hashes that are due. It returns
// the first fault, or nil.
func (a *Auditor) compare() error {
	if len(a.due) == 0 {
		return nil
	}
	indexes := make([]int64, len(a.due))
	for i, d := range a.due {
		indexes[i] = d.index
	}
	hashes, err := readHashes(a.Stored, indexes)
	if err != nil {
		a.fault = &Fault{a.due[0].leaf, a.due[0].kind, err}
		return a.fault
	}
	for i, d := range a.due {
		if hashes[i] != d.hash {
			a.fault = &Fault{d.leaf, d.kind, fmt.Errorf("stored hash %d is %v, but the leaves give %v", d.index, hashes[i], d.hash)}
			return a.fault
		}
	}
	a.due = a.due[:0]
	return nil
}

// Against compares the log so far with a checkpoint of just that size. It may
// be called again and again as the log goes by; the more often, the closer a
// changed leaf is pinned down. An audit is good only up to the last checkpoint
// that agreed.
func (a *Auditor) Against(c Checkpoint) error {
	if a.fault != nil {
		return a.fault
	}
	if err := a.compare(); err != nil {
		return err
	}
	if c.Size != a.tree.size {
		a.fault = &Fault{min(c.Size, a.tree.size), "", fmt.Errorf("the log has %d leaves, the checkpoint of %s is of %d", a.tree.size, c.Origin, c.Size)}
		return a.fault
	}
	if root := a.tree.root(); root != c.Root {
		a.fault = &Fault{a.vouched, "", fmt.Errorf("from here to leaf %d something was changed: the leaves give the root %v, but %s signed %v",
			c.Size-1, root, c.Origin, c.Root)}
		return a.fault
	}
	a.vouched = c.Size
	return nil
}

// Audit checks a whole log against a checkpoint of its last leaf. Reading
// errors of records are returned as they are; all else is a *Fault.
func (a *Auditor) Audit(records iter.Seq2[Record, error], c Checkpoint) error {
	for r, err := range records {
		if err != nil {
			return fmt.Errorf("read leaf %d: %w", a.Size(), err)
		}
		if err := a.Add(r); err != nil {
			return err
		}
	}
	return a.Against(c)
}
