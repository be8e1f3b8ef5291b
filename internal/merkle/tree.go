package merkle

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrProof is what every proof that does not hold is.
var ErrProof = errors.New("the proof does not hold")

// Grow puts leaves after the first size ones. It returns the hashes to store,
// to go to the stored indexes from Stored(size) on, and the root of the grown
// tree. It reads at most 1 + log₂ size hashes, in one call, and none for an
// empty tree.
//
// Grow believes the hashes that it reads. Who has a checkpoint compares
// Root(size) with it first: so a damaged table is found before it is signed.
func Grow(size int64, leaves [][]byte, read HashReader) (hashes []Hash, root Hash, err error) {
	if err := checkSize(size); err != nil {
		return nil, Hash{}, err
	}
	if err := checkSize(size + int64(len(leaves))); err != nil {
		return nil, Hash{}, err
	}
	f, err := readFringe(size, read)
	if err != nil {
		return nil, Hash{}, err
	}
	hashes = make([]Hash, 0, 2*len(leaves)+1)
	for _, leaf := range leaves {
		hashes = f.add(hashes, LeafHash(leaf))
	}
	return hashes, f.root(), nil
}

// Root returns the root of the first size leaves.
func Root(size int64, read HashReader) (Hash, error) {
	if err := checkSize(size); err != nil {
		return Hash{}, err
	}
	f, err := readFringe(size, read)
	if err != nil {
		return Hash{}, err
	}
	return f.root(), nil
}

// Inclusion returns the proof that leaf index is in the tree of the first size
// leaves: RFC 6962's audit path, from the leaf's sibling up.
func Inclusion(size, index int64, read HashReader) ([]Hash, error) {
	if err := checkIndex(size, index); err != nil {
		return nil, err
	}
	p, err := tlog.ProveRecord(size, index, read)
	if err != nil {
		return nil, fmt.Errorf("prove that leaf %d is among %d: %w", index, size, err)
	}
	return p, nil
}

// VerifyInclusion returns nil if proof shows that the leaf with these canonical
// bytes is number index of the tree, and an ErrProof if it does not.
func VerifyInclusion(proof []Hash, tree Head, index int64, leaf []byte) error {
	if err := checkIndex(tree.Size, index); err != nil {
		return err
	}
	if tlog.CheckRecord(proof, tree.Size, tree.Root, index, LeafHash(leaf)) != nil {
		return fmt.Errorf("leaf %d in the %v: %w", index, tree, ErrProof)
	}
	return nil
}

// Consistency returns the proof that the first leaves of the tree of size are
// the tree of older: that nothing was changed, only added.
func Consistency(older, size int64, read HashReader) ([]Hash, error) {
	if err := checkOlder(older, size); err != nil {
		return nil, err
	}
	if older == 0 {
		return nil, nil // every tree begins with the empty one
	}
	p, err := tlog.ProveTree(size, older, read)
	if err != nil {
		return nil, fmt.Errorf("prove that %d leaves begin with %d: %w", size, older, err)
	}
	return p, nil
}

// VerifyConsistency returns nil if proof shows that tree begins with all of
// older, and an ErrProof if it does not.
func VerifyConsistency(proof []Hash, older, tree Head) error {
	if err := checkOlder(older.Size, tree.Size); err != nil {
		return err
	}
	empty := older.Size == 0 && older.Root == (&fringe{}).root() && len(proof) == 0
	if empty && (tree.Size > 0 || tree.Root == older.Root) {
		return nil
	}
	if older.Size == 0 || tlog.CheckTree(proof, tree.Size, tree.Root, older.Size, older.Root) != nil {
		return fmt.Errorf("%v at the beginning of the %v: %w", older, tree, ErrProof)
	}
	return nil
}

func checkIndex(size, index int64) error {
	if err := checkSize(size); err != nil {
		return err
	}
	if index < 0 || index >= size {
		return fmt.Errorf("there is no leaf %d among %d", index, size)
	}
	return nil
}

func checkOlder(older, size int64) error {
	if err := checkSize(size); err != nil {
		return err
	}
	if older < 0 || older > size {
		return fmt.Errorf("a tree of %d leaves cannot begin with %d", size, older)
	}
	return nil
}

// fringe is the right edge of a tree: the roots of its largest full subtrees.
// Level l holds one where bit l of the size is set. It is all that is needed
// to make the tree grow and to know its root.
type fringe struct {
	size int64
	full [64]Hash
}

func readFringe(size int64, read HashReader) (*fringe, error) {
	f := &fringe{size: size}
	var levels []int
	var indexes []int64
	for l := bits.Len64(uint64(size)) - 1; l >= 0; l-- { // left to right: rising indexes
		if size>>l&1 == 1 {
			levels = append(levels, l)
			indexes = append(indexes, tlog.StoredHashIndex(l, size>>l-1))
		}
	}
	if len(indexes) == 0 {
		return f, nil
	}
	hashes, err := readHashes(read, indexes)
	if err != nil {
		return nil, err
	}
	for i, l := range levels {
		f.full[l] = hashes[i]
	}
	return f, nil
}

// add puts one more leaf at the right and appends to hashes those to store
// for it: the leaf's own and that of each subtree which it fills.
func (f *fringe) add(hashes []Hash, leaf Hash) []Hash {
	h := leaf
	hashes = append(hashes, h)
	l := 0
	for ; f.size>>l&1 == 1; l++ {
		h = tlog.NodeHash(f.full[l], h)
		hashes = append(hashes, h)
	}
	f.full[l] = h
	f.size++
	return hashes
}

func (f *fringe) root() Hash {
	if f.size == 0 {
		root, _ := tlog.TreeHash(0, nil) // a constant, that of no bytes: nothing is read
		return root
	}
	l := bits.TrailingZeros64(uint64(f.size))
	h := f.full[l]
	for l++; l < 64; l++ {
		if f.size>>l&1 == 1 {
			h = tlog.NodeHash(f.full[l], h)
		}
	}
	return h
}

func readHashes(read HashReader, indexes []int64) ([]Hash, error) {
	hashes, err := read.ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("read %d stored hashes: %w", len(indexes), err)
	}
	if len(hashes) != len(indexes) {
		return nil, fmt.Errorf("read %d stored hashes: got %d", len(indexes), len(hashes))
	}
	return hashes, nil
}
