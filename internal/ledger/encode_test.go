package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/merkle"
)

func TestUnmarshalIsStrict(t *testing.T) {
	b, err := Marshal(example().entry(t))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, c := range map[string][2]string{
		"nothing":          {"", "EOF"},
		"null":             {"null", "canonical"},
		"a list":           {"[]", "array"},
		"cut short":        {text[:len(text)-1], "EOF"},
		"more after it":    {text + "{}", "canonical"},
		"a newline":        {text + "\n", "canonical"},
		"a space":          {strings.Replace(text, `"pue":`, `"pue": `, 1), "canonical"},
		"unknown field":    {strings.Replace(text, `"pue":`, `"extra":1,"pue":`, 1), "unknown field"},
		"field twice":      {strings.Replace(text, `"pue":1200`, `"pue":1100,"pue":1200`, 1), "canonical"},
		"other case":       {strings.Replace(text, `"pue"`, `"PUE"`, 1), "canonical"},
		"number as text":   {strings.Replace(text, `"pue":1200`, `"pue":"1200"`, 1), "string"},
		"float":            {strings.Replace(text, `"pue":1200`, `"pue":1200.0`, 1), "number"},
		"exponent":         {strings.Replace(text, `"pue":1200`, `"pue":12e2`, 1), "number"},
		"minus nothing":    {strings.Replace(text, `"attempt":1`, `"attempt":-0`, 1), "canonical"},
		"escaped letter":   {strings.Replace(text, `"berlin"`, `"\u0062erlin"`, 1), "canonical"},
		"fraction of time": {strings.Replace(text, `T11:05:00Z`, `T11:05:00.000Z`, 1), "canonical"},
		"too large":        {text + strings.Repeat(" ", MaxEntry), "at most"},
		"missing field":    {strings.Replace(text, `,"claimed":true`, "", 1), "canonical"},
		"fields swapped":   {strings.Replace(text, `"zone":"DE","pue":1200`, `"pue":1200,"zone":"DE"`, 1), "canonical"},
	} {
		if c[0] == text {
			t.Fatalf("%s: nothing was changed", name)
		}
		if e, err := Unmarshal([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: read as %+v, %v", name, e, err)
		}
	}
	e := example().entry(t)
	e.Booked = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := Marshal(e); err == nil {
		t.Error("a year of five digits is written")
	}
	if _, err := Digest(e); err == nil {
		t.Error("a year of five digits has a digest")
	}
}

func TestDigest(t *testing.T) {
	e := example().entry(t)
	b, err := Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if d, err := Digest(e); err != nil || d != hex.EncodeToString(sum[:]) {
		t.Errorf("digest is %s, %v", d, err)
	}
}

// FuzzUnmarshal: what is read is written as it was, and nothing that is read,
// however hostile, breaks the checks.
func FuzzUnmarshal(f *testing.F) {
	w := example()
	b, err := Marshal(w.entry(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`"energy":2700000`), []byte(`"energy":-9223372036854775808`), 1))
	f.Add(bytes.Replace(b, []byte(`"to":"2026`), []byte(`"to":"9999`), -1))
	f.Add(bytes.Replace(b, []byte(`"intensity":4`), []byte(`"intensity":-4`), -1))
	f.Add(bytes.Replace(b, []byte(`"start":"2026`), []byte(`"start":"0001`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Unmarshal(b)
		if err != nil {
			return
		}
		again, err := Marshal(e)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %q, written %q, %v", b, again, err)
		}
		_ = Check(e, w.stored)
		_, _ = Total([]Entry{e})
		if Recompute(e) == nil && e.Saved != e.Avoided-e.Emitted {
			t.Fatalf("%q adds up to %+v", b, e)
		}
	})
}

// TestFlips is the whole promise at once: a small log of entries, and any byte
// of any leaf, salt, entry or stored hash changed. The audit fails, and names
// the leaf.
func TestFlips(t *testing.T) {
	const origin = "clusy.io/log/test"
	private, public, err := merkle.GenerateKey(bytes.NewReader(make([]byte, 32)), origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := merkle.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := merkle.NewVerifiers(public)
	if err != nil {
		t.Fatal(err)
	}

	// Three hours of one workload, each with an entry.
	series := map[string]grid.Series{}
	var records []merkle.Record
	var leaves [][]byte
	for i := range 3 {
		w := example()
		w.meter.Attempt = i + 1
		w.meter.Energy += grid.Energy(i)
		w.actual[0].Values[4] += grid.Intensity(i)
		w.actual[0].Ref = w.actual[0].Digest()
		for _, s := range slices.Concat(w.actual, w.baseline) {
			series[s.Ref] = s
		}
		body, err := Marshal(w.entry(t))
		if err != nil {
			t.Fatal(err)
		}
		salt := bytes.Repeat([]byte{byte(i)}, merkle.SaltSize)
		leaf, err := merkle.Leaf{
			V: merkle.LeafVersion, Seq: int64(i), At: at(12, i).UnixMicro(), Tag: merkle.Tag(origin, "acme"), Kind: "ledger.entry",
			TenantSeq: int64(i), TenantPrev: int64(i) - 1, Commit: merkle.Commit(salt, body),
		}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, merkle.Record{Leaf: leaf, Salt: salt, Body: body})
		leaves = append(leaves, leaf)
	}
	stored, root, err := merkle.Grow(0, leaves, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := merkle.Sign(signer, origin, 3, root)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := merkle.OpenCheckpoint(text, trusted, origin)
	if err != nil {
		t.Fatal(err)
	}

	audit := func() error {
		a := &merkle.Auditor{
			Stored: merkle.HashReaderFunc(func(indexes []int64) (hs []merkle.Hash, err error) {
				for _, i := range indexes {
					hs = append(hs, stored[i])
				}
				return hs, nil
			}),
			Inspect: func(l merkle.Leaf, body []byte) error {
				e, err := Unmarshal(body)
				if err != nil {
					return err
				}
				if err := Recompute(e); err != nil {
					return err
				}
				return Check(e, func(ref string) (grid.Series, bool) { s, ok := series[ref]; return s, ok })
			},
		}
		for _, r := range records {
			if err := a.Add(r); err != nil {
				return err
			}
		}
		return a.Against(checkpoint)
	}
	if err := audit(); err != nil {
		t.Fatal(err)
	}
	flip := func(leaf int, what string, b []byte, set func([]byte)) {
		t.Helper()
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 1
			set(changed)
			var f *merkle.Fault
			if err := audit(); !errors.As(err, &f) || f.Index != int64(leaf) {
				t.Fatalf("%s of leaf %d, byte %d: %v", what, leaf, i, err)
			}
		}
		set(b)
	}
	for i, r := range records {
		flip(i, "leaf", r.Leaf, func(b []byte) { records[i].Leaf = b })
		flip(i, "salt", r.Salt, func(b []byte) { records[i].Salt = b })
		flip(i, "entry", r.Body, func(b []byte) { records[i].Body = b })
		for j := merkle.Stored(int64(i)); j < merkle.Stored(int64(i)+1); j++ {
			h := stored[j]
			flip(i, fmt.Sprint("stored hash ", j), h[:], func(b []byte) { stored[j] = merkle.Hash(b) })
		}
	}
	// An entry that lies, committed to as it should be, is found by its sums.
	e, err := Unmarshal(records[2].Body)
	if err != nil {
		t.Fatal(err)
	}
	e.Saved, e.Emitted = e.Saved+1000, e.Emitted-1000
	if records[2].Body, err = Marshal(e); err != nil {
		t.Fatal(err)
	}
	l, err := merkle.ParseLeaf(records[2].Leaf)
	if err != nil {
		t.Fatal(err)
	}
	l.Commit = merkle.Commit(records[2].Salt, records[2].Body)
	if records[2].Leaf, err = l.Marshal(); err != nil {
		t.Fatal(err)
	}
	var d *Difference
	if err := audit(); !errors.As(err, &d) || d.Field != "emitted" || !strings.Contains(err.Error(), "leaf 2 (ledger.entry)") {
		t.Errorf("a lie: %v", err)
	}
}
