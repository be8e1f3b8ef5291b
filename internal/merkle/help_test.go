package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// table is stored hashes as a store keeps them: in a row, by stored index.
type table []Hash

func (t table) ReadHashes(indexes []int64) ([]Hash, error) {
	var hs []Hash
	for _, i := range indexes {
		if i < 0 || i >= int64(len(t)) {
			return nil, fmt.Errorf("no stored hash %d", i)
		}
		hs = append(hs, t[i])
	}
	return hs, nil
}

var (
	errBroken = errors.New("disk is gone")
	broken    = HashReaderFunc(func([]int64) ([]Hash, error) { return nil, errBroken })
	short     = HashReaderFunc(func(i []int64) ([]Hash, error) { return make([]Hash, len(i)-1), nil })
	untouched = HashReaderFunc(func([]int64) ([]Hash, error) { panic("read of an empty tree") })
)

// key returns a log's key pair, the same for the same name.
func key(t testing.TB, origin string, seed byte) (Signer, string) {
	t.Helper()
	private, public, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func trust(t testing.TB, public ...string) Verifiers {
	t.Helper()
	v, err := NewVerifiers(public...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const testOrigin = "clusy.io/log/test"

// smallLog is a log of n leaves of three tenants, whole and honest.
type smallLog struct {
	records []Record
	leaves  [][]byte
	stored  table
	signer  Signer
	trusted Verifiers
}

func newLog(t testing.TB, n int) *smallLog {
	t.Helper()
	signer, public := key(t, testOrigin, 7)
	l := &smallLog{signer: signer, trusted: trust(t, public)}
	type last struct{ n, seq int64 }
	tenants := map[string]*last{}
	for i := range n {
		name := []string{"", "acme", "globex"}[(i*i+i/3)%3]
		at := tenants[name]
		if at == nil {
			at = &last{0, -1}
			tenants[name] = at
		}
		salt := bytes.Repeat([]byte{byte(i)}, SaltSize)
		body := fmt.Appendf(nil, `{"n":%d,"tenant":%q}`, i, name)
		leaf := Leaf{
			V: 1, Seq: int64(i), At: 1767225600000000 + int64(i), Tag: Tag(testOrigin, name), Kind: "workload.moved",
			TenantSeq: at.n, TenantPrev: at.seq, Commit: Commit(salt, body),
		}
		b, err := leaf.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		*at = last{at.n + 1, int64(i)}
		l.records = append(l.records, Record{b, salt, body})
		l.leaves = append(l.leaves, b)
	}
	l.restore(t)
	return l
}

// restore makes the stored hashes again from the leaves as they are.
func (l *smallLog) restore(t testing.TB) {
	t.Helper()
	hs, _, err := Grow(0, l.leaves, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.stored = hs
}

func (l *smallLog) head(t testing.TB, size int64) Head {
	t.Helper()
	root, err := Root(size, l.stored)
	if err != nil {
		t.Fatal(err)
	}
	return Head{size, root}
}

// checkpoint signs the first size leaves and opens what was signed.
func (l *smallLog) checkpoint(t testing.TB, size int64) (Checkpoint, []byte) {
	t.Helper()
	h := l.head(t, size)
	text, err := Sign(l.signer, testOrigin, h.Size, h.Root)
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCheckpoint(text, l.trusted, testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	return c, text
}

// flips yields b with one byte changed, in several ways for each byte.
func flips(b []byte, f func(at int, changed []byte)) {
	for i := range b {
		for _, mask := range []byte{0x01, 0x20, 0x80} {
			c := bytes.Clone(b)
			c[i] ^= mask
			f(i, c)
		}
	}
}
