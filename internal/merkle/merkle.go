// Package merkle is the maths and the formats of the log: its leaves, its tree,
// its checkpoints and its proofs, as the C2SP specifications write them. It
// keeps nothing and knows no tenant, event or entry: what is stored is handed
// in, and what is to be stored is handed back.
package merkle

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

type (
	// Hash is the SHA-256 of a leaf or of a node of the tree, as RFC 6962
	// section 2.1 makes it. It prints as base64.
	Hash = tlog.Hash

	// HashReader reads stored hashes by their stored index: hash n of level l
	// is at tlog's StoredHashIndex(l, n). Indexes come in no fixed order.
	HashReader = tlog.HashReader

	// HashReaderFunc is a function that is a HashReader.
	HashReaderFunc = tlog.HashReaderFunc
)

// MaxSize is the most leaves that a log may have. It is far beyond any real
// log and keeps every index far from the end of an int64.
const MaxSize = 1 << 48

// Head is a tree by its size and its root.
type Head struct {
	Size int64
	Root Hash
}

func (h Head) String() string { return fmt.Sprintf("tree of %d leaves with root %v", h.Size, h.Root) }

// LeafHash returns the hash of a leaf's canonical bytes: what a receipt names
// and what an inclusion proof starts from.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// Stored returns how many hashes are stored for a tree of size leaves: the
// hashes that Grow returns go to the stored indexes from Stored(size) on.
func Stored(size int64) int64 { return tlog.StoredHashCount(size) }

func checkSize(size int64) error {
	if size < 0 || size > MaxSize {
		return fmt.Errorf("a tree has 0 to %d leaves, not %d", int64(MaxSize), size)
	}
	return nil
}
