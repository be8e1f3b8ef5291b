package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustOpen(t *testing.T, path string) (*Journal, [][]byte) {
	t.Helper()
	j, recs, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, recs
}

func texts(recs [][]byte) string {
	var s []string
	for _, r := range recs {
		s = append(s, string(r))
	}
	return strings.Join(s, ",")
}

func TestAppendAndOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	if _, err := Read(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read of no file: %v", err)
	}
	j, recs := mustOpen(t, path)
	if len(recs) != 0 || j.Size() != headerSize {
		t.Errorf("new: %d records, size %d", len(recs), j.Size())
	}
	for _, batch := range [][]string{{"a"}, {}, {"b", "", "c"}, {"d"}} {
		var b [][]byte
		for _, s := range batch {
			b = append(b, []byte(s))
		}
		if err := j.Append(b...); err != nil {
			t.Fatal(err)
		}
	}
	// An observer sees it while it is open; a second owner is turned away.
	if recs, err := Read(path); err != nil || texts(recs) != "a,b,,c,d" {
		t.Errorf("read while open: %q, %v", texts(recs), err)
	}
	if _, _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := j.Append([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := j.Rewrite(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("rewrite after close: %v", err)
	}
	j, recs = mustOpen(t, path)
	if texts(recs) != "a,b,,c,d" || j.Torn() != (Torn{}) {
		t.Errorf("opened again: %q, %+v", texts(recs), j.Torn())
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 || st.Size() != j.Size() {
		t.Errorf("file: %v, %v", st, err)
	}
}

func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := mustOpen(t, path)
	for i := range 100 {
		if err := j.Append(fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	big := bytes.Repeat([]byte("x"), MaxRecord)
	if err := j.Rewrite([][]byte{[]byte("one"), big, []byte("two"), big}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("the new file is not locked: %v", err)
	}
	if err := j.Append([]byte("three")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j, recs := mustOpen(t, path)
	if len(recs) != 5 || string(recs[0]) != "one" || !bytes.Equal(recs[1], big) || string(recs[2]) != "two" || string(recs[4]) != "three" {
		t.Errorf("%d records after rewrite", len(recs))
	}
	if err := j.Rewrite(nil); err != nil {
		t.Fatal(err)
	}
	if recs, err := Read(path); err != nil || len(recs) != 0 || j.Size() != headerSize {
		t.Errorf("rewritten to nothing: %d records, %v", len(recs), err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestTooLarge(t *testing.T) {
	j, _ := mustOpen(t, filepath.Join(t.TempDir(), "j"))
	big := make([]byte, MaxRecord)
	if err := j.Append(make([]byte, MaxRecord+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("record: %v", err)
	}
	if err := j.Append(big, big, big, big, big, big, big, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("batch: %v", err)
	}
	if err := j.Rewrite([][]byte{make([]byte, MaxRecord+1)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("rewrite: %v", err)
	}
	j.size = MaxFile - 10 // as if
	if err := j.Append([]byte("x")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("file: %v", err)
	}
	j.size = headerSize
	if err := j.Append([]byte("fine"), big); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	if recs, err := Read(j.path); err != nil || len(recs) != 2 {
		t.Errorf("%d records, %v", len(recs), err)
	}
	huge := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, MaxFile+1); err != nil { // sparse
		t.Skip(err)
	}
	if _, _, err := Open(huge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("open: %v", err)
	}
}

// sample is a journal of three appends, and where each ends.
func sample(t testing.TB) (file []byte, ends []int, records []string) {
	t.Helper()
	return salted(t, 0x1122334455667788)
}

func salted(t testing.TB, salt uint64) (file []byte, ends []int, records []string) {
	t.Helper()
	file = header(salt)
	ends = append(ends, len(file))
	records = append(records, "")
	for _, batch := range [][][]byte{{[]byte("alpha")}, {[]byte("beta"), []byte("gamma")}, {[]byte("delta"), nil}} {
		var err error
		if file, err = appendFrame(file, salt, int64(len(file)), batch); err != nil {
			t.Fatal(err)
		}
		all := texts(batch)
		if before := records[len(records)-1]; before != "" {
			all = before + "," + all
		}
		ends, records = append(ends, len(file)), append(records, all)
	}
	return file, ends, records
}

// A file that ends anywhere holds exactly the appends that had finished, says
// how much was cut off, and can be appended to.
func TestTruncatedAtEachOffset(t *testing.T) {
	file, ends, records := sample(t)
	dir := t.TempDir()
	for n := range len(file) + 1 {
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(path, file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for i, end := range ends {
			if n >= end {
				whole = i
			}
		}
		end := ends[whole]
		if n < headerSize {
			end = 0
		}
		readOnly, err := Read(path)
		if err != nil || texts(readOnly) != records[whole] {
			t.Fatalf("cut at %d: Read finds %q, %v", n, texts(readOnly), err)
		}
		j, recs, err := Open(path)
		if err != nil || texts(recs) != records[whole] {
			t.Fatalf("cut at %d: Open finds %q, %v, want %q", n, texts(recs), err, records[whole])
		}
		torn := j.Torn()
		if torn.Bytes != int64(n-end) || torn.Bytes > 0 && torn.Offset != int64(end) {
			t.Errorf("cut at %d: torn %+v, want %d bytes at %d", n, torn, n-end, end)
		}
		if st, err := os.Stat(path); err != nil || st.Size() != j.Size() {
			t.Errorf("cut at %d: %d bytes after Open, want %d: %v", n, st.Size(), j.Size(), err)
		}
		if err := j.Append([]byte("more")); err != nil {
			t.Fatal(err)
		}
		j.Close()
		again, err := Read(path)
		if err != nil || len(again) != len(recs)+1 || string(again[len(recs)]) != "more" {
			t.Fatalf("cut at %d: after an append %q, %v", n, texts(again), err)
		}
	}
}

// The pages of the last append may reach the disk in any order. Whatever is
// there of it and whatever is not, the append is gone as a whole.
func TestTornInTheMiddle(t *testing.T) {
	file, ends, records := sample(t)
	for from := ends[2]; from < len(file); from++ {
		for to := from + 1; to <= len(file); to++ {
			b := bytes.Clone(file)
			clear(b[from:to])
			if bytes.Equal(b, file) {
				continue // zeros that were there
			}
			c, err := parse(b)
			if err != nil || texts(c.records) != records[2] || c.end != int64(ends[2]) {
				t.Fatalf("zeros from %d to %d: %q up to %d, %v", from, to, texts(c.records), c.end, err)
			}
		}
	}
}

// A changed bit in what was durable is an error that says where, and nothing
// is cut off. In the last append it cannot be told from one that was torn.
func TestCorruptAtEachBit(t *testing.T) {
	file, ends, records := sample(t)
	path := filepath.Join(t.TempDir(), "j")
	for bit := range len(file) * 8 {
		at := bit / 8
		b := bytes.Clone(file)
		b[at] ^= 1 << (bit % 8)
		c, err := parse(b)
		if at >= ends[2] {
			if err != nil || texts(c.records) != records[2] {
				t.Fatalf("bit %d of byte %d: %q, %v", bit%8, at, texts(c.records), err)
			}
			continue
		}
		want := int64(0)
		for _, end := range ends {
			if at >= end {
				want = int64(end)
			}
		}
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.Offset != want {
			t.Fatalf("bit %d of byte %d: %v, want corrupt at %d", bit%8, at, err, want)
		}
	}
	bad := bytes.Clone(file)
	bad[ends[1]+frameHeader] ^= 1
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and the error lets go of the lock
		_, _, err := Open(path)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.Path != path || !strings.Contains(err.Error(), fmt.Sprintf("offset %d", ends[1])) {
			t.Errorf("open: %v", err)
		}
	}
	if _, err := Read(path); !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("read: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
		t.Errorf("a corrupt file was changed: %v", err)
	}
}

func TestNotAJournal(t *testing.T) {
	dir := t.TempDir()
	for what, b := range map[string]string{
		"short":       "hello",
		"text":        "This is somebody's letter, and no journal.",
		"other magic": "clusyj2\nxxxxxxxxxxxx",
		"long zeros":  strings.Repeat("\x00", headerSize+1),
	} {
		path := filepath.Join(dir, what)
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		var corrupt *CorruptError
		if _, _, err := Open(path); !errors.As(err, &corrupt) || corrupt.Offset != 0 {
			t.Errorf("%s: %v", what, err)
		}
		if now, _ := os.ReadFile(path); string(now) != b {
			t.Errorf("%s: changed to %q", what, now)
		}
	}
	// What a crash leaves of a file just made.
	for _, b := range []string{"", "\x00\x00", "clus", "clusyj1\n1234", strings.Repeat("\x00", headerSize), "clusyj1\n" + strings.Repeat("\x00", 12)} {
		path := filepath.Join(dir, "new")
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		j, recs, err := Open(path)
		if err != nil || len(recs) != 0 || j.Torn().Bytes != int64(len(b)) {
			t.Fatalf("%q: %v", b, err)
		}
		j.Close()
	}
	if _, _, err := Open(dir); err == nil {
		t.Error("a directory was opened")
	}
	if _, _, err := Open("/dev/null"); err == nil {
		t.Error("a device was opened")
	}
	if _, _, err := Open(filepath.Join(dir, "none", "j")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// A record may hold the bytes of a journal, even of this one's own frames.
func TestRecordsThatLookLikeFrames(t *testing.T) {
	file, _, _ := sample(t)
	path := filepath.Join(t.TempDir(), "j")
	j, _ := mustOpen(t, path)
	own, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := appendFrame(nil, j.salt, j.size, [][]byte{[]byte("fake")})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(file, own, frame, []byte("and what follows")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := headerSize; n < len(b); n++ {
		if c, err := parse(b[:n]); err != nil || len(c.records) != 0 {
			t.Fatalf("cut at %d: %d records, %v", n, len(c.records), err)
		}
	}
}

// Blocks of a file that was removed may show up behind the end of another: a
// frame of an older journal, whole and at its own offset, is none of this one.
func TestFrameOfAnotherFile(t *testing.T) {
	file, ends, records := sample(t)
	older, _, _ := salted(t, 7)
	for i := range 3 {
		b := append(bytes.Clone(file[:ends[i]]), older[ends[i]:]...)
		c, err := parse(b)
		if err != nil || texts(c.records) != records[i] || c.end != int64(ends[i]) {
			t.Errorf("after %d appends: %q, %v", i, texts(c.records), err)
		}
	}
}

// A process that dies holds no lock.
func TestLockOfTheDead(t *testing.T) {
	path := os.Getenv("JOURNAL_TEST_HOLD")
	if path != "" {
		j, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Append([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		select {}
	}
	path = filepath.Join(t.TempDir(), "j")
	c := exec.Command(os.Args[0], "-test.run=^TestLockOfTheDead$")
	c.Env = append(os.Environ(), "JOURNAL_TEST_HOLD="+path)
	if out, err := c.CombinedOutput(); err == nil {
		t.Fatalf("it did not die: %s", out)
	}
	if _, recs := mustOpen(t, path); texts(recs) != "last words" {
		t.Errorf("records %q", texts(recs))
	}
}

// Whatever is done, the journal holds what a list in memory would.
func TestLikeAList(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		var list [][]byte
		j, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { j.Close() }()
		batch := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 4)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				b := batch.Draw(t, "batch")
				if err := j.Append(b...); err != nil {
					t.Fatal(err)
				}
				list = append(list, b...)
			},
			"rewrite": func(t *rapid.T) {
				list = batch.Draw(t, "records")
				if err := j.Rewrite(list); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				j.Close()
				var got [][]byte
				if j, got, err = Open(path); err != nil {
					t.Fatal(err)
				}
				same(t, got, list)
			},
			"": func(t *rapid.T) {
				got, err := Read(path)
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, list)
			},
		})
	})
}

func same(t *rapid.T, got, want [][]byte) {
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("record %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// FuzzOpen: any bytes are opened or refused; what is opened holds the same
// records each time, and takes another.
func FuzzOpen(f *testing.F) {
	file, ends, _ := sample(f)
	f.Add(file)
	f.Add(file[:ends[2]+5])
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Add(append(bytes.Clone(file[:ends[1]]), file[ends[2]:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		j, recs, err := Open(path)
		if err != nil {
			if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
				t.Fatalf("refused with %v and changed", err)
			}
			return
		}
		if err := j.Append([]byte("more")); err != nil {
			t.Fatal(err)
		}
		j.Close()
		again, err := Read(path)
		if err != nil || len(again) != len(recs)+1 {
			t.Fatalf("%d records, then %d with one more: %v", len(recs), len(again), err)
		}
		for i := range recs {
			if !bytes.Equal(recs[i], again[i]) {
				t.Fatalf("record %d has changed", i)
			}
		}
	})
}
