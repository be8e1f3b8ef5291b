package merkle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"
)

func (l *smallLog) proof(t testing.TB, size, index int64) Proof {
	t.Helper()
	path, err := Inclusion(size, index, l.stored)
	if err != nil {
		t.Fatal(err)
	}
	_, text := l.checkpoint(t, size)
	return Proof{Index: index, Path: path, Checkpoint: text}
}

// The text of a proof is C2SP's, line by line.
func TestProofText(t *testing.T) {
	l := newLog(t, 13)
	p := l.proof(t, 13, 10)
	p.Extra = []byte("hint")
	var want strings.Builder
	want.WriteString("c2sp.org/tlog-proof@v1\nextra aGludA==\nindex 10\n")
	for _, h := range p.Path {
		want.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	want.WriteString("\n" + string(p.Checkpoint))
	b, err := p.Marshal()
	if err != nil || string(b) != want.String() {
		t.Errorf("proof is\n%s (%v), want\n%s", b, err, want.String())
	}
	again, err := ParseProof(b)
	if err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("ParseProof = %+v, %v", again, err)
	}
}

func TestProofVerifies(t *testing.T) {
	l := newLog(t, 13)
	for size := int64(1); size <= 13; size++ {
		for i := range size {
			b, err := l.proof(t, size, i).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			p, err := ParseProof(b)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Verify(l.leaves[i], l.trusted, testOrigin)
			if err != nil || c.Size != size {
				t.Fatalf("leaf %d of %d: %+v, %v", i, size, c, err)
			}
		}
	}
}

// One byte changed anywhere in the proof or the leaf, and it does not hold.
func TestProofFlips(t *testing.T) {
	l := newLog(t, 13)
	p := l.proof(t, 13, 10)
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	flips(text, func(at int, changed []byte) {
		p, err := ParseProof(changed)
		if err == nil {
			_, err = p.Verify(l.leaves[10], l.trusted, testOrigin)
		}
		if err == nil {
			t.Errorf("byte %d changed, and it still holds:\n%s", at, changed)
		}
	})
	flips(l.leaves[10], func(at int, changed []byte) {
		if _, err := p.Verify(changed, l.trusted, testOrigin); err == nil {
			t.Errorf("byte %d of the leaf changed, and it still holds:\n%s", at, changed)
		}
	})
}

func TestProofOfAnotherPlace(t *testing.T) {
	l := newLog(t, 13)
	p := l.proof(t, 13, 10)
	p.Index = 11
	if _, err := p.Verify(l.leaves[10], l.trusted, testOrigin); !errors.Is(err, ErrProof) {
		t.Errorf("leaf 10 is proved at 11: %v", err)
	}
	if _, err := l.proof(t, 13, 10).Verify(l.leaves[10], l.trusted, "clusy.io/log/other"); err == nil || !strings.Contains(err.Error(), "not signed by") {
		t.Errorf("a proof of one log holds for another: %v", err)
	}
	// What is in the tree and yet no leaf.
	l.leaves[0] = []byte("no leaf")
	l.restore(t)
	if _, err := l.proof(t, 13, 0).Verify(l.leaves[0], l.trusted, testOrigin); err == nil {
		t.Error("what is no leaf is proved")
	}
	l = newLog(t, 13)
	// A leaf that says another index than the one it was put at.
	lie := [][]byte{l.leaves[1], l.leaves[0]}
	hs, root, err := Grow(0, lie, nil)
	if err != nil {
		t.Fatal(err)
	}
	path, err := Inclusion(2, 0, table(hs))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Sign(l.signer, testOrigin, 2, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Proof{Index: 0, Path: path, Checkpoint: text}).Verify(lie[0], l.trusted, testOrigin); !errors.Is(err, ErrProof) {
		t.Errorf("a leaf out of its place is proved: %v", err)
	}
}

func TestParseProofIsStrict(t *testing.T) {
	l := newLog(t, 13)
	p := l.proof(t, 13, 10)
	p.Extra = []byte("hint")
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, c := range map[string][2]string{
		"nothing":             {"", "no empty line"},
		"only a title":        {proofTitle + "\n\nx", "no index"},
		"extra and no index":  {proofTitle + "\nextra aGludA==\n\nx", "no index"},
		"other title":         {strings.Replace(text, "@v1", "@v2", 1), "does not begin"},
		"no index":            {strings.Replace(text, "index 10\n", "", 1), "where its index belongs"},
		"index 010":           {strings.Replace(text, "index 10", "index 010", 1), "canonical"},
		"index -1":            {strings.Replace(text, "index 10", "index -1", 1), "want 0 to"},
		"index ten":           {strings.Replace(text, "index 10", "index ten", 1), "not a whole number"},
		"index past the max":  {strings.Replace(text, "index 10", "index 999999999999999999", 1), "want 0 to"},
		"extra is not base64": {strings.Replace(text, "aGludA==", "aGludA", 1), "not base64"},
		"two texts of extra":  {strings.Replace(text, "aGludA==", "aGludB==", 1), "canonical"},
		"empty extra":         {strings.Replace(text, "aGludA==", "", 1), "canonical"},
		"extra after index":   {strings.Replace(text, "extra aGludA==\nindex 10\n", "index 10\nextra aGludA==\n", 1), "has hash"},
		"a hash cut short":    {strings.Replace(text, "index 10\n", "index 10\nAAAA\n", 1), "has hash"},
		"no checkpoint":       {text[:strings.Index(text, "\n\n")+2], "no checkpoint"},
		"no empty line":       {text[:strings.Index(text, "\n\n")+1], "no empty line"},
		"too many hashes":     {strings.Replace(text, "index 10\n", "index 10\n"+strings.Repeat(Hash{}.String()+"\n", 49), 1), "at most 48"},
		"too long":            {text + strings.Repeat("x", MaxNote), "at most"},
	} {
		if c[0] == text {
			t.Fatalf("%s: nothing was changed", name)
		}
		if p, err := ParseProof([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: read as %+v, %v", name, p, err)
		}
	}
	for name, p := range map[string]Proof{
		"no checkpoint": {Index: 1},
		"index below 0": {Index: -1, Checkpoint: []byte("x")},
		"too long":      {Checkpoint: make([]byte, MaxNote)},
	} {
		if _, err := p.Marshal(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestProofRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Proof{
			Index:      rapid.Int64Range(0, MaxSize-1).Draw(t, "index"),
			Checkpoint: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "checkpoint"),
		}
		if e := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "extra"); len(e) > 0 {
			p.Extra = e
		}
		for range rapid.IntRange(0, maxPath).Draw(t, "path") {
			p.Path = append(p.Path, LeafHash(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "hash")))
		}
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseProof(b)
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%q read as %+v, %v; want %+v", b, again, err, p)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	l := newLog(f, 13)
	b, err := l.proof(f, 13, 10).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(proofTitle + "\nextra AA==\nindex 0\n\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %q as %+v, written as %q, %v", b, p, again, err)
		}
	})
}

// A proof carries cosignatures as they are.
func TestProofWithWitness(t *testing.T) {
	l := newLog(t, 3)
	p := l.proof(t, 3, 1)
	witness, public := key(t, "clusy.io/log/witness", 9)
	_, logPublic := key(t, testOrigin, 7)
	trusted := trust(t, logPublic, public)
	n, err := note.Open(p.Checkpoint, trusted)
	if err != nil {
		t.Fatal(err)
	}
	if p.Checkpoint, err = note.Sign(n, witness); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(l.leaves[1], trusted, testOrigin); err != nil {
		t.Error(err)
	}
}
