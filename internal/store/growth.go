package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/store/db"
)

// growth is the log as its one writer sees it: how far it is on disk, and the
// leaves that the open transaction puts after that. It is used by one
// goroutine at a time.
type growth struct {
	origin string
	signer merkle.Signer
	random io.Reader

	size   int64    // leaves on disk
	note   string   // the checkpoint of the open transaction, once it is signed
	leaves [][]byte // leaves of the open transaction, in order
	// edge holds the stored hashes that the tree grows from, so that growing
	// it reads nothing.
	edge map[int64]merkle.Hash
	// last is the newest leaf of each tenant met so far. undo takes back what
	// the open transaction did to it.
	last map[access.Tenant]place
	undo []before
}

// place is where a tenant's newest leaf is: its index in the log and among
// the tenant's own.
type place struct{ index, seq int64 }

type before struct {
	tenant access.Tenant
	place  place
	known  bool
}

// maxLast bounds the memory for tenants' newest leaves; beyond it they are
// read again.
const maxLast = 1 << 14

// load reads where the log ends, and finds a damaged tree before it is signed
// again: the root of the stored hashes must be the one that was signed.
func (g *growth) load(ctx context.Context, q db.Querier) error {
	g.leaves, g.undo = nil, nil
	g.last = map[access.Tenant]place{}
	g.edge = map[int64]merkle.Hash{}
	g.size = 0
	c, err := q.LastCheckpoint(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the newest checkpoint: %w", err)
	}
	read := hashesOf(ctx, q)
	root, err := merkle.Root(c.Size, read)
	if err != nil {
		return fmt.Errorf("read the tree of %d leaves: %w", c.Size, err)
	}
	if head := headText(g.origin, c.Size, root); !strings.HasPrefix(c.Note, head) {
		return fmt.Errorf("the log of %s is damaged: its tree of %d leaves has root %v, and that is not what its checkpoint says",
			g.origin, c.Size, root)
	}
	g.size = c.Size
	indexes := edgeOf(g.size)
	hashes, err := read.ReadHashes(indexes)
	if err != nil {
		return fmt.Errorf("read the edge of the tree: %w", err)
	}
	for i, n := range indexes {
		g.edge[n] = hashes[i]
	}
	return nil
}

// headText is how the text of a checkpoint begins.
func headText(origin string, size int64, root merkle.Hash) string {
	return origin + "\n" + strconv.FormatInt(size, 10) + "\n" + root.String() + "\n"
}

// edgeOf returns the stored indexes of the roots of the largest full subtrees
// of a tree of size leaves.
func edgeOf(size int64) []int64 {
	var ns []int64
	for l := bits.Len64(uint64(size)) - 1; l >= 0; l-- {
		if size>>l&1 == 1 {
			ns = append(ns, tlog.StoredHashIndex(l, size>>l-1))
		}
	}
	return ns
}

// next returns the index of the next leaf.
func (g *growth) next() int64 { return g.size + int64(len(g.leaves)) }

// add makes the next leaf, of tenant t, with what it commits to, and puts it
// on disk. It returns the leaf's index.
func (g *growth) add(ctx context.Context, q db.Querier, t access.Tenant, at int64, kind audit.Kind, object, workload string, body []byte) (int64, error) {
	salt := make([]byte, merkle.SaltSize)
	if _, err := io.ReadFull(g.random, salt); err != nil {
		return 0, fmt.Errorf("take a salt: %w", err)
	}
	last, err := g.lastOf(ctx, q, t)
	if err != nil {
		return 0, err
	}
	l := merkle.Leaf{
		V: merkle.LeafVersion, Seq: g.next(), At: at, Tag: merkle.Tag(g.origin, string(t)), Kind: string(kind),
		TenantSeq: last.seq + 1, TenantPrev: last.index, Commit: merkle.Commit(salt, body),
	}
	text, err := l.Marshal()
	if err != nil {
		return 0, fmt.Errorf("make a leaf: %w", err)
	}
	if err := q.InsertLeaf(ctx, db.InsertLeafParams{
		Idx: l.Seq, Tenant: string(t), TenantSeq: l.TenantSeq, Kind: l.Kind, Object: object, Workload: workload,
		Leaf: text, Sealed: seal(t, salt, body),
	}); err != nil {
		return 0, fmt.Errorf("append leaf %d: %w", l.Seq, err)
	}
	g.leaves = append(g.leaves, text)
	g.put(t, place{l.Seq, l.TenantSeq})
	return l.Seq, nil
}

func (g *growth) lastOf(ctx context.Context, q db.Querier, t access.Tenant) (place, error) {
	if p, ok := g.last[t]; ok {
		return p, nil
	}
	row, err := q.LastLeaf(ctx, string(t))
	if errors.Is(err, sql.ErrNoRows) {
		return place{-1, -1}, nil
	}
	if err != nil {
		return place{}, fmt.Errorf("read the newest leaf of a tenant: %w", err)
	}
	return place{row.Idx, row.TenantSeq}, nil
}

func (g *growth) put(t access.Tenant, p place) {
	old, known := g.last[t]
	g.undo = append(g.undo, before{t, old, known})
	g.last[t] = p
}

// mark is a point to go back to.
type mark struct{ leaves, undo int }

func (g *growth) mark() mark { return mark{len(g.leaves), len(g.undo)} }

// back forgets what was added since m.
func (g *growth) back(m mark) {
	for i := len(g.undo) - 1; i >= m.undo; i-- {
		if b := g.undo[i]; b.known {
			g.last[b.tenant] = b.place
		} else {
			delete(g.last, b.tenant)
		}
	}
	g.undo = g.undo[:m.undo]
	g.leaves = g.leaves[:m.leaves]
}

// grow puts the hashes of the added leaves and a signed checkpoint over all of
// them on disk. It returns the edge of the grown tree, for grown.
func (g *growth) grow(ctx context.Context, q db.Querier) (edge map[int64]merkle.Hash, err error) {
	if len(g.leaves) == 0 {
		return g.edge, nil
	}
	first := merkle.Stored(g.size)
	hashes, root, err := merkle.Grow(g.size, g.leaves, merkle.HashReaderFunc(g.readEdge))
	if err != nil {
		return nil, fmt.Errorf("grow the tree: %w", err)
	}
	note, err := merkle.Sign(g.signer, g.origin, g.next(), root)
	if err != nil {
		return nil, fmt.Errorf("sign the tree: %w", err)
	}
	if err := q.InsertLoghash(ctx, db.InsertLoghashParams{First: first, Hashes: join(hashes)}); err != nil {
		return nil, fmt.Errorf("store %d hashes of the tree: %w", len(hashes), err)
	}
	g.note = string(note)
	if err := q.InsertCheckpoint(ctx, db.InsertCheckpointParams{Size: g.next(), Note: g.note}); err != nil {
		return nil, fmt.Errorf("store the checkpoint: %w", err)
	}
	edge = map[int64]merkle.Hash{}
	for _, n := range edgeOf(g.next()) {
		if n >= first {
			edge[n] = hashes[n-first]
		} else {
			edge[n] = g.edge[n]
		}
	}
	return edge, nil
}

func (g *growth) readEdge(indexes []int64) ([]merkle.Hash, error) {
	hashes := make([]merkle.Hash, len(indexes))
	for i, n := range indexes {
		h, ok := g.edge[n]
		if !ok {
			return nil, fmt.Errorf("hash %d is not at the edge of a tree of %d leaves", n, g.size)
		}
		hashes[i] = h
	}
	return hashes, nil
}

// grown notes that all that was added is on disk.
func (g *growth) grown(edge map[int64]merkle.Hash) {
	g.size, g.edge = g.next(), edge
	g.leaves, g.undo = nil, g.undo[:0]
	if len(g.last) > maxLast {
		g.last = map[access.Tenant]place{}
	}
}

func join(hashes []merkle.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// hashesOf returns a reader of the stored hashes of the tree.
func hashesOf(ctx context.Context, q db.Querier) merkle.HashReader {
	return merkle.HashReaderFunc(func(indexes []int64) ([]merkle.Hash, error) {
		out := make([]merkle.Hash, len(indexes))
		var run db.Loghash
		for i, n := range indexes {
			at := (n - run.First) * tlog.HashSize
			if n < run.First || at+tlog.HashSize > int64(len(run.Hashes)) {
				var err error
				if run, err = q.Loghash(ctx, n); err != nil {
					return nil, fmt.Errorf("read hash %d of the tree: %w", n, err)
				}
				if at = (n - run.First) * tlog.HashSize; at+tlog.HashSize > int64(len(run.Hashes)) {
					return nil, fmt.Errorf("hash %d of the tree is not stored", n)
				}
			}
			copy(out[i][:], run.Hashes[at:])
		}
		return out, nil
	})
}
