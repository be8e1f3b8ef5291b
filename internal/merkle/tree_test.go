package merkle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// The roots that Certificate Transparency's own tests have for these leaves.
func TestRootsOfCertificateTransparency(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var stored table
	for i, l := range leaves {
		leaf, _ := hex.DecodeString(l)
		hs, root, err := Grow(int64(i), [][]byte{leaf}, stored)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		if got := hex.EncodeToString(root[:]); got != roots[i] {
			t.Errorf("root of %d leaves is %s, want %s", i+1, got, roots[i])
		}
	}
}

// However the leaves are dealt out to calls, Grow stores what tlog would, at
// tlog's indexes, and has tlog's root.
func TestGrowIsTlogs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want, got table
		size := int64(0)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 8).Draw(t, "batches") {
			var leaves [][]byte
			for range n {
				leaves = append(leaves, fmt.Appendf(nil, "leaf %d", size+int64(len(leaves))))
			}
			for i, leaf := range leaves {
				hs, err := tlog.StoredHashes(size+int64(i), leaf, want)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, hs...)
			}
			if int64(len(got)) != Stored(size) {
				t.Fatalf("%d hashes are stored for %d leaves, Stored says %d", len(got), size, Stored(size))
			}
			reads := 0
			hs, root, err := Grow(size, leaves, HashReaderFunc(func(i []int64) ([]Hash, error) {
				reads++
				return got.ReadHashes(i)
			}))
			if err != nil || reads > 1 {
				t.Fatalf("Grow: %v, %d reads", err, reads)
			}
			got = append(got, hs...)
			size += int64(n)
			wantRoot, err := tlog.TreeHash(size, want)
			if err != nil || root != wantRoot {
				t.Fatalf("root of %d is %v, want %v (%v)", size, root, wantRoot, err)
			}
			if again, err := Root(size, got); err != nil || again != root {
				t.Fatalf("Root(%d) = %v, %v", size, again, err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatal("the stored hashes are not tlog's")
		}
	})
}

func TestEmptyTree(t *testing.T) {
	const sha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	hs, root, err := Grow(0, nil, untouched)
	if err != nil || len(hs) != 0 || hex.EncodeToString(root[:]) != sha256OfNothing {
		t.Errorf("Grow of nothing = %v, %v, %v", hs, root, err)
	}
	if r, err := Root(0, untouched); err != nil || r != root {
		t.Errorf("Root(0) = %v, %v", r, err)
	}
}

// Every leaf of every small tree is proved, and each changed part of a proof
// is found.
func TestInclusion(t *testing.T) {
	l := newLog(t, 20)
	for size := int64(1); size <= 20; size++ {
		head := l.head(t, size)
		for i := range size {
			p, err := Inclusion(size, i, l.stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(p, head, i, l.leaves[i]); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, size, err)
			}
			wrong := func(why string, p []Hash, head Head, i int64, leaf []byte) {
				if err := VerifyInclusion(p, head, i, leaf); !errors.Is(err, ErrProof) {
					t.Errorf("leaf %d of %d, %s: %v", i, size, why, err)
				}
			}
			wrong("another leaf", p, head, i, l.leaves[(i+1)%20])
			wrong("another root", p, Head{size, LeafHash(nil)}, i, l.leaves[i])
			wrong("a hash more", append(p[:len(p):len(p)], Hash{}), head, i, l.leaves[i])
			if size > 1 {
				wrong("another index", p, head, (i+1)%size, l.leaves[i])
				wrong("a hash less", p[1:], head, i, l.leaves[i])
			}
			for j := range p {
				bad := append([]Hash(nil), p...)
				bad[j][31] ^= 1
				wrong("another hash", bad, head, i, l.leaves[i])
			}
		}
	}
}

// Every small tree is shown to begin with every smaller one; with a changed
// one it is not.
func TestConsistency(t *testing.T) {
	l := newLog(t, 20)
	for size := int64(0); size <= 20; size++ {
		head := l.head(t, size)
		for old := range size + 1 {
			older := l.head(t, old)
			p, err := Consistency(old, size, l.stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(p, older, head); err != nil {
				t.Fatalf("%d in %d: %v", old, size, err)
			}
			wrong := func(why string, p []Hash, older, head Head) {
				if err := VerifyConsistency(p, older, head); !errors.Is(err, ErrProof) {
					t.Errorf("%d in %d, %s: %v", old, size, why, err)
				}
			}
			wrong("another older root", p, Head{old, LeafHash(nil)}, head)
			if old > 0 || size == 0 { // all trees begin with the empty one
				wrong("another root", p, older, Head{size, LeafHash(nil)})
			}
			wrong("a hash more", append(p[:len(p):len(p)], Hash{}), older, head)
			for j := range p {
				bad := append([]Hash(nil), p...)
				bad[j][0] ^= 1
				wrong("another hash", bad, older, head)
			}
		}
	}
}

func TestSizesThatCannotBe(t *testing.T) {
	l := newLog(t, 4)
	big := Head{Size: MaxSize + 1}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"grow from -1":      {second(Grow(-1, nil, l.stored)), "a tree has"},
		"grow from -1 to 0": {second(Grow(-1, [][]byte{{}}, l.stored)), "a tree has"},
		"grow past the max": {second(Grow(MaxSize, [][]byte{{}}, l.stored)), "a tree has"},
		"root of -1":        {first(Root(-1, l.stored)), "a tree has"},
		"root past the max": {first(Root(MaxSize+1, l.stored)), "a tree has"},
		"leaf -1":           {first(Inclusion(4, -1, l.stored)), "there is no leaf"},
		"leaf 4 of 4":       {first(Inclusion(4, 4, l.stored)), "there is no leaf"},
		"leaf of -4":        {first(Inclusion(-4, 0, l.stored)), "a tree has"},
		"leaf of too many":  {first(Inclusion(MaxSize+1, 0, l.stored)), "a tree has"},
		"verify 4 of 4":     {VerifyInclusion(nil, Head{Size: 4}, 4, nil), "there is no leaf"},
		"verify too many":   {VerifyInclusion(nil, big, 4, nil), "a tree has"},
		"5 in 4":            {first(Consistency(5, 4, l.stored)), "cannot begin"},
		"-1 in 4":           {first(Consistency(-1, 4, l.stored)), "cannot begin"},
		"past the max":      {first(Consistency(1, MaxSize+1, l.stored)), "a tree has"},
		"verify 5 in 4":     {VerifyConsistency(nil, Head{Size: 5}, Head{Size: 4}), "cannot begin"},
		"verify past max":   {VerifyConsistency(nil, Head{Size: 5}, big), "a tree has"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

func TestBadReaders(t *testing.T) {
	for name, err := range map[string]error{
		"grow":        second(Grow(3, nil, broken)),
		"root":        first(Root(3, broken)),
		"inclusion":   first(Inclusion(3, 1, broken)),
		"consistency": first(Consistency(1, 3, broken)),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s of a broken disk: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"grow":        second(Grow(3, nil, short)),
		"root":        first(Root(3, short)),
		"inclusion":   first(Inclusion(3, 1, short)),
		"consistency": first(Consistency(1, 3, short)),
	} {
		if err == nil {
			t.Errorf("%s of too few hashes: no error", name)
		}
	}
}

func first[T any](_ T, err error) error          { return err }
func second[T, U any](_ T, _ U, err error) error { return err }
