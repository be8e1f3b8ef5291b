package merkle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/mod/sumdb/note"
)

func TestOrigin(t *testing.T) {
	for _, c := range []struct {
		origin string
		ok     bool
		demo   bool
	}{
		{"clusy.io/log/house-1", true, false},
		{"demo.clusy.io/log/house-1", true, true},
		{"clusy.io/log/lg_01", true, false},
		{"clusy.io/log/", false, false},
		{"demo.clusy.io/log/", false, true},
		{"clusy.io/log/a/b", false, false},
		{"clusy.io/log/A", false, false},
		{"clusy.io/log/a b", false, false},
		{"clusy.io/log/a\n", false, false},
		{"xclusy.io/log/a", false, false},
		{"clusy.io/a", false, false},
		{"", false, false},
		{"clusy.io/log/" + strings.Repeat("a", 65), false, false},
	} {
		if err := CheckOrigin(c.origin); (err == nil) != c.ok {
			t.Errorf("CheckOrigin(%q) = %v", c.origin, err)
		}
		if IsDemo(c.origin) != c.demo {
			t.Errorf("IsDemo(%q) = %v", c.origin, !c.demo)
		}
	}
	for demo, want := range map[bool]string{false: "clusy.io/log/a", true: "demo.clusy.io/log/a"} {
		if o, err := Origin("a", demo); err != nil || o != want {
			t.Errorf("Origin(a, %v) = %q, %v", demo, o, err)
		}
	}
	if _, err := Origin("", true); err == nil {
		t.Error("a log has no id")
	}
}

func TestGenerateKey(t *testing.T) {
	seed := bytes.Repeat([]byte{3}, 32)
	priv, pub, err := GenerateKey(bytes.NewReader(seed), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	priv2, pub2, _ := GenerateKey(bytes.NewReader(seed), testOrigin)
	if priv != priv2 || pub != pub2 {
		t.Error("the same randomness gives two keys")
	}
	if !strings.HasPrefix(pub, testOrigin+"+") || !strings.HasPrefix(priv, "PRIVATE+KEY+"+testOrigin+"+") {
		t.Errorf("the key is not named by its origin: %s", pub)
	}
	for name, err := range map[string]error{
		"no randomness":     second(GenerateKey(nil, testOrigin)),
		"broken randomness": second(GenerateKey(iotest.ErrReader(errBroken), testOrigin)),
		"little randomness": second(GenerateKey(bytes.NewReader(seed[1:]), testOrigin)),
		"foreign origin":    second(GenerateKey(bytes.NewReader(seed), "example.com/log")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewSigner(strings.Replace(priv, "PRIVATE", "public", 1)); err == nil || strings.Contains(err.Error(), priv[len(priv)-20:]) {
		t.Errorf("a bad private key: %v", err)
	}
	if _, err := NewVerifiers(pub, "nonsense"); err == nil {
		t.Error("nonsense is a public key")
	}
}

// The text of a checkpoint is C2SP's, line by line.
func TestCheckpointText(t *testing.T) {
	l := newLog(t, 5)
	c, text := l.checkpoint(t, 5)
	root := l.head(t, 5).Root
	want := testOrigin + "\n5\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n\n— " + testOrigin + " "
	if !strings.HasPrefix(string(text), want) || !strings.HasSuffix(string(text), "\n") || strings.Count(string(text), "\n") != 5 {
		t.Errorf("checkpoint is\n%swant it to begin\n%s", text, want)
	}
	if c != (Checkpoint{testOrigin, Head{5, root}}) {
		t.Errorf("opened as %+v", c)
	}
	if _, text := l.checkpoint(t, 0); !strings.HasPrefix(string(text), testOrigin+"\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n") {
		t.Errorf("the empty log has the checkpoint\n%s", text)
	}
}

func TestCheckpointFlips(t *testing.T) {
	l := newLog(t, 5)
	_, text := l.checkpoint(t, 5)
	flips(text, func(at int, changed []byte) {
		if c, err := OpenCheckpoint(changed, l.trusted, testOrigin); err == nil {
			t.Errorf("byte %d changed, opened as %+v:\n%s", at, c, changed)
		}
	})
	// Each of the bits of the signature's base64 that decoding passes over.
	for _, d := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		changed := bytes.Clone(text)
		changed[len(changed)-3] = d // before "=\n"
		if _, err := OpenCheckpoint(changed, l.trusted, testOrigin); err == nil && !bytes.Equal(changed, text) {
			t.Errorf("one signature has two texts:\n%s", changed)
		}
	}
}

func TestSignRules(t *testing.T) {
	real, _ := key(t, testOrigin, 1)
	demo, _ := key(t, "demo.clusy.io/log/test", 1)
	foreign, err := note.NewSigner(mustForeign(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"demo key, real log":  first(Sign(demo, testOrigin, 1, Hash{})),
		"real key, demo log":  first(Sign(real, "demo.clusy.io/log/test", 1, Hash{})),
		"foreign origin":      first(Sign(foreign, "example.com/log", 1, Hash{})),
		"size below 0":        first(Sign(real, testOrigin, -1, Hash{})),
		"size past the max":   first(Sign(real, testOrigin, MaxSize+1, Hash{})),
		"signer out of order": first(Sign(deadSigner{real}, testOrigin, 1, Hash{})),
	} {
		if err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

type deadSigner struct{ Signer }

func (deadSigner) Sign([]byte) ([]byte, error) { return nil, errBroken }

func mustForeign(t *testing.T) string {
	t.Helper()
	private, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 32)), "example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// A well-signed note is not yet a checkpoint.
func TestOpenCheckpointIsStrict(t *testing.T) {
	signer, public := key(t, testOrigin, 1)
	witness, witnessPublic := key(t, "clusy.io/log/witness", 2)
	other, _ := key(t, testOrigin, 3)
	trusted := trust(t, public, witnessPublic)
	root := Hash{31: 9}.String()
	good := testOrigin + "\n12\n" + root + "\n"

	open := func(text string, signers ...Signer) error {
		msg, err := note.Sign(&note.Note{Text: text}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenCheckpoint(msg, trusted, testOrigin)
		return err
	}
	if err := open(good, signer); err != nil {
		t.Fatal(err)
	}
	if err := open(good, signer, witness); err != nil {
		t.Errorf("with a cosignature: %v", err)
	}
	if err := open(good, signer, other); err != nil {
		t.Errorf("with a signature of a key that nobody named (C2SP: pass over): %v", err)
	}

	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"only a witness":      {open(good, witness), "not signed by"},
		"only another key":    {open(good, other), "verif"},
		"another log":         {open("clusy.io/log/other\n12\n"+root+"\n", signer), "is of the log"},
		"a demo log":          {open("demo.clusy.io/log/test\n12\n"+root+"\n", signer), "is of the log"},
		"an extension line":   {open(good+"more\n", signer), "4 lines, want 3"},
		"a line less":         {open(testOrigin+"\n12\n", signer), "2 lines, want 3"},
		"leading zero":        {open(testOrigin+"\n012\n"+root+"\n", signer), "canonical"},
		"plus sign":           {open(testOrigin+"\n+12\n"+root+"\n", signer), "canonical"},
		"size below 0":        {open(testOrigin+"\n-1\n"+root+"\n", signer), "a tree has"},
		"size past the max":   {open(testOrigin+"\n999999999999999999\n"+root+"\n", signer), "a tree has"},
		"size past an int64":  {open(testOrigin+"\n99999999999999999999\n"+root+"\n", signer), "has size"},
		"size is no number":   {open(testOrigin+"\ntwelve\n"+root+"\n", signer), "has size"},
		"short root":          {open(testOrigin+"\n12\nAAAA\n", signer), "has root"},
		"two texts of a root": {open(testOrigin+"\n12\n"+strings.Replace(root, "k=", "l=", 1)+"\n", signer), "canonical"},
		"an empty line":       {open(testOrigin+"\n12\n"+root+"\n\n", signer), "4 lines, want 3"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if _, err := OpenCheckpoint(bytes.Repeat([]byte("x"), MaxNote+1), trusted, testOrigin); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a huge note: %v", err)
	}
	if _, err := OpenCheckpoint(nil, trusted, "example.com/log"); err == nil || !strings.Contains(err.Error(), "origin") {
		t.Errorf("a foreign origin: %v", err)
	}
	// One wrong signature of a trusted key spoils the whole.
	msg, err := note.Sign(&note.Note{Text: good}, signer, witness)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.LastIndex(msg, []byte("— "))
	forged := bytes.Clone(msg)
	forged[len(forged)-20] ^= 3
	if _, err := OpenCheckpoint(forged, trusted, testOrigin); err == nil {
		t.Error("a forged cosignature was passed over")
	}
	if _, err := OpenCheckpoint(msg[:i], trusted, testOrigin); err != nil {
		t.Errorf("without the cosignature: %v", err)
	}
	var unverified *note.UnverifiedNoteError
	if err := open(good, other); !errors.As(err, &unverified) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	l := newLog(f, 5)
	_, text := l.checkpoint(f, 5)
	f.Add(text)
	f.Add([]byte(testOrigin + "\n0\n\n\n— x y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Only what the log's key has signed opens at all.
		if c, err := OpenCheckpoint(b, l.trusted, testOrigin); err == nil && c.Head != l.head(t, 5) {
			t.Fatalf("forged: %+v", c)
		}
	})
}
