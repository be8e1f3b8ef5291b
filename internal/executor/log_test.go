package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is written in whatever pieces, what is read is the end of it, no
// more is kept than allowed, and offsets never move.
func TestLogLikeATape(t *testing.T) {
	base, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		limit := int64(rapid.IntRange(1, 20).Draw(t, "half")) * 2
		w := newLogWriter(dir, limit)
		var tape []byte
		for range rapid.IntRange(0, 12).Draw(t, "writes") {
			b := make([]byte, rapid.IntRange(0, 30).Draw(t, "bytes"))
			for i := range b {
				b[i] = byte(len(tape) + i)
			}
			if n, err := w.Write(b); n != len(b) || err != nil {
				t.Fatalf("write: %d, %v", n, err)
			}
			tape = append(tape, b...)
			kept := int64(0)
			files, _ := filepath.Glob(filepath.Join(dir, "log.*"))
			for _, f := range files {
				st, err := os.Stat(f)
				if err != nil {
					t.Fatal(err)
				}
				kept += st.Size()
			}
			if kept > limit || len(files) > 2 {
				t.Fatalf("%d bytes in %d files are kept, of at most %d", kept, len(files), limit)
			}
			offset := int64(rapid.IntRange(-1, len(tape)+3).Draw(t, "offset"))
			ask := rapid.IntRange(1, 50).Draw(t, "limit")
			c, err := readLog(dir, limit, offset, ask)
			if err != nil {
				t.Fatal(err)
			}
			if c.Size != int64(len(tape)) || c.Next != c.Offset+int64(len(c.Data)) || len(c.Data) > ask {
				t.Fatalf("%+v of %d bytes", c, len(tape))
			}
			if string(c.Data) != string(tape[c.Offset:c.Next]) {
				t.Fatalf("bytes %d to %d differ", c.Offset, c.Next)
			}
			// Half of the limit at least is there, and all that was asked of it.
			from := max(0, int64(len(tape))-limit/2)
			if offset >= 0 {
				from = max(from, min(offset, int64(len(tape))))
			} else {
				from = max(from, int64(len(tape)-ask))
			}
			if c.Offset > from || offset >= 0 && c.Offset < min(offset, int64(len(tape))) {
				t.Fatalf("begins at %d, want at most %d", c.Offset, from)
			}
			if want := min(int64(ask), int64(len(tape))-c.Offset); int64(len(c.Data)) != want {
				t.Fatalf("%d bytes, want %d", len(c.Data), want)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A log that cannot be written holds up nobody, and goes on when it can be.
func TestLogWithoutRoom(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	w := newLogWriter(dir, 0)
	if n, err := w.Write([]byte("lost")); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("kept"))
	if c, err := readLog(dir, 0, 0, 10); err != nil || string(c.Data) != "kept" {
		t.Errorf("%q, %v", c.Data, err)
	}
	w.f.Close() // as a disk that fails
	if n, err := w.Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := w.Close(); err == nil {
		t.Error("the failure is not told at the end")
	}
	if _, err := readLog(filepath.Join(dir, "none"), 0, 0, 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	for _, junk := range []string{"log.x", "log.-1", "log.", "log.99999999999999999999"} {
		if err := os.WriteFile(filepath.Join(dir, junk), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := readLog(dir, 0, -1, maxChunk+1); err != nil || string(c.Data) != "kept" {
		t.Errorf("beside junk: %q, %v", c.Data, err)
	}
}
