package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var sample = Leaf{
	V: 1, Seq: 12, At: 1767225600000000, Tag: Tag(testOrigin, "acme"), Kind: "workload.moved",
	TenantSeq: 3, TenantPrev: 9, Commit: Commit(make([]byte, SaltSize), []byte("{}")),
}

// The bytes are a promise to every log that was ever written: they never
// change for version 1.
const sampleText = `clusy leaf
v 1
seq 12
at 1767225600000000
tag 3d81361909cb7bf25d7484cd2a42650e
kind workload.moved
tenant-seq 3
tenant-prev 9
commit d3961614b743b361f9103e1eaa2c88e0cdb5ce2ce143f45a3e94ffa866d50191
`

func TestLeafBytes(t *testing.T) {
	b, err := sample.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != sampleText {
		t.Errorf("leaf is\n%swant\n%s", b, sampleText)
	}
	l, err := ParseLeaf(b)
	if err != nil || l != sample {
		t.Errorf("ParseLeaf = %+v, %v", l, err)
	}
}

// Commit and Tag by their documented formulas, byte for byte.
func TestCommitAndTag(t *testing.T) {
	salt, body := bytes.Repeat([]byte{5}, SaltSize), []byte("body")
	text := "clusy.io/commit/v1\n" + "\x00\x00\x00\x00\x00\x00\x00\x20" + string(salt) + "body"
	if got := Commit(salt, body); got != Hash(sha256.Sum256([]byte(text))) {
		t.Errorf("Commit is not its formula: %v", got)
	}
	if Commit([]byte("ab"), []byte("c")) == Commit([]byte("a"), []byte("bc")) {
		t.Error("a salt and a body cut elsewhere commit to the same")
	}
	if Commit(salt, body) == Commit(bytes.Repeat([]byte{6}, SaltSize), body) {
		t.Error("the salt makes no difference")
	}
	sum := sha256.Sum256([]byte("clusy.io/tag/v1\nclusy.io/log/test\nacme"))
	if got := Tag(testOrigin, "acme"); got != hex.EncodeToString(sum[:16]) {
		t.Errorf("Tag is not its formula: %s", got)
	}
	if Tag(testOrigin, "acme") == Tag("clusy.io/log/other", "acme") {
		t.Error("a tenant has one tag in two logs")
	}
}

func TestLeafRules(t *testing.T) {
	for name, change := range map[string]func(*Leaf){
		"version 0":         func(l *Leaf) { l.V = 0 },
		"version 2":         func(l *Leaf) { l.V = 2 },
		"seq below 0":       func(l *Leaf) { l.Seq = -1 },
		"seq too large":     func(l *Leaf) { l.Seq = MaxSize },
		"before 1970":       func(l *Leaf) { l.At = -1 },
		"no tag":            func(l *Leaf) { l.Tag = "" },
		"short tag":         func(l *Leaf) { l.Tag = l.Tag[2:] },
		"upper-case tag":    func(l *Leaf) { l.Tag = strings.ToUpper(l.Tag) },
		"no kind":           func(l *Leaf) { l.Kind = "" },
		"long kind":         func(l *Leaf) { l.Kind = strings.Repeat("a", 65) },
		"two-line kind":     func(l *Leaf) { l.Kind = "a\nb" },
		"tenant-seq < 0":    func(l *Leaf) { l.TenantSeq = -1 },
		"tenant-seq > seq":  func(l *Leaf) { l.TenantSeq = 13 },
		"first with a prev": func(l *Leaf) { l.TenantSeq = 0 },
		"later without":     func(l *Leaf) { l.TenantPrev = -1 },
		"prev is itself":    func(l *Leaf) { l.TenantPrev = 12 },
		"prev too early":    func(l *Leaf) { l.TenantPrev = 1 },
	} {
		l := sample
		change(&l)
		if b, err := l.Marshal(); err == nil {
			t.Errorf("%s: written as %q", name, b)
		}
		// The reader has the same rules, whoever wrote it.
		if _, err := ParseLeaf(l.append(nil)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestParseLeafIsStrict(t *testing.T) {
	for name, change := range map[string][3]string{
		"other title":     {"clusy leaf", "clusy Leaf", "does not begin"},
		"version 01":      {"v 1", "v 01", "version"},
		"version 2":       {"v 1", "v 2", "version"},
		"plus sign":       {"seq 12", "seq +12", "canonical"},
		"leading zero":    {"at 17", "at 017", "canonical"},
		"space":           {"seq 12", "seq  12", "not a whole number"},
		"carriage return": {"seq 12\n", "seq 12\r\n", "not a whole number"},
		"not a number":    {"seq 12", "seq twelve", "not a whole number"},
		"past an int64":   {"at 17", "at 99999917", "not a whole number"},
		"missing line":    {"kind workload.moved\n", "", `no line "kind"`},
		"upper-case hex":  {"commit d3", "commit D3", "canonical"},
		"long commit":     {"\ncommit ", "\ncommit 00", "canonical"},
		"short commit":    {"commit d3", "commit ", "64 hex digits"},
		"bad commit":      {"commit d3", "commit xx", "64 hex digits"},
		"no last newline": {"0191\n", "0191", `no line "commit"`},
		"a tail":          {"0191\n", "0191\n\n", "canonical"},
		"swapped lines":   {"v 1\nseq 12\n", "seq 12\nv 1\n", `no line "v"`},
		"too long":        {"0191\n", "0191\n" + strings.Repeat("x", 600), "at most 512"},
		"minus nothing":   {"tenant-seq 3\ntenant-prev 9", "tenant-seq -0\ntenant-prev -1", "canonical"},
	} {
		text := strings.Replace(sampleText, change[0], change[1], 1)
		if text == sampleText {
			t.Fatalf("%s: nothing was changed", name)
		}
		if l, err := ParseLeaf([]byte(text)); err == nil || !strings.Contains(err.Error(), change[2]) {
			t.Errorf("%s: read as %+v, %v", name, l, err)
		}
	}
	if _, err := ParseLeaf(nil); err == nil {
		t.Error("nothing was read as a leaf")
	}
}

func anyLeaf(t *rapid.T) Leaf {
	l := Leaf{
		V:      1,
		Seq:    rapid.Int64Range(0, MaxSize-1).Draw(t, "seq"),
		At:     rapid.Int64Min(0).Draw(t, "at"),
		Tag:    Tag("o", rapid.String().Draw(t, "tenant")),
		Kind:   rapid.StringMatching(`[a-z0-9.-]{1,64}`).Draw(t, "kind"),
		Commit: Commit(nil, []byte(rapid.String().Draw(t, "body"))),
	}
	l.TenantSeq = rapid.Int64Range(0, l.Seq).Draw(t, "tenant-seq")
	l.TenantPrev = -1
	if l.TenantSeq > 0 {
		l.TenantPrev = rapid.Int64Range(l.TenantSeq-1, l.Seq-1).Draw(t, "tenant-prev")
	}
	return l
}

func TestLeafRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLeaf(t)
		b, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > MaxLeaf {
			t.Fatalf("%d bytes are more than MaxLeaf", len(b))
		}
		again, err := ParseLeaf(b)
		if err != nil || again != l {
			t.Fatalf("ParseLeaf(%q) = %+v, %v; want %+v", b, again, err, l)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	f.Add([]byte(sampleText))
	f.Add([]byte(strings.Replace(sampleText, "tenant-seq 3\ntenant-prev 9", "tenant-seq 0\ntenant-prev -1", 1)))
	f.Add([]byte("clusy leaf\nv 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLeaf(b)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %q as %+v, written as %q, %v", b, l, again, err)
		}
	})
}
