package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errFault = errors.New("the disk says no")

// faulty is a file system of which the n-th call of one kind fails, and with
// sticky all after it as well. A failed write has written half.
type faulty struct {
	disk
	kind   string
	n      int
	sticky bool
	calls  int
	also   string   // another kind of call, of which each fails
	trace  []string // of all calls
}

func (d *faulty) fails(kind string) error {
	d.trace = append(d.trace, kind)
	if kind == d.also {
		return errFault
	}
	if kind != d.kind {
		return nil
	}
	d.calls++
	if d.calls == d.n || d.sticky && d.calls > d.n {
		return errFault
	}
	return nil
}

func (d *faulty) Open(path string) (file, error) {
	if err := d.fails("open"); err != nil {
		return nil, err
	}
	f, err := d.disk.Open(path)
	return faultyFile{f, d}, err
}

func (d *faulty) Create(path string) (file, error) {
	if err := d.fails("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.Create(path)
	return faultyFile{f, d}, err
}

func (d *faulty) Rename(from, to string) error {
	if err := d.fails("rename"); err != nil {
		return err
	}
	return d.disk.Rename(from, to)
}

func (d *faulty) SyncDir(path string) error {
	if err := d.fails("syncdir"); err != nil {
		return err
	}
	return d.disk.SyncDir(path)
}

func (d *faulty) Same(f file, path string) (bool, error) {
	if err := d.fails("same"); err != nil {
		return false, err
	}
	return d.disk.Same(f.(faultyFile).file, path)
}

type faultyFile struct {
	file
	d *faulty
}

func (f faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.d.fails("write"); err != nil {
		n, _ := f.file.WriteAt(b[:len(b)/2], at)
		return n, err
	}
	return f.file.WriteAt(b, at)
}

func (f faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.d.fails("read"); err != nil {
		return 0, err
	}
	return f.file.ReadAt(b, at)
}

func (f faultyFile) Sync() error {
	if err := f.d.fails("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f faultyFile) Truncate(n int64) error {
	if err := f.d.fails("truncate"); err != nil {
		return err
	}
	return f.file.Truncate(n)
}

func (f faultyFile) Lock() error {
	if err := f.d.fails("lock"); err != nil {
		return err
	}
	return f.file.Lock()
}

func (f faultyFile) Size() (int64, error) {
	if err := f.d.fails("size"); err != nil {
		return 0, err
	}
	return f.file.Size()
}

// Whichever call fails, once or from then on: what was acknowledged is there
// when the journal is opened again, in order, and nothing else but at most what
// the failing call itself was to add. After a failed fsync nothing is
// acknowledged any more.
func TestEachFault(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"open", "create", "rename", "syncdir", "same", "write", "read", "sync", "truncate", "lock", "size"} {
		for n := 1; n <= 8; n++ {
			for _, sticky := range []bool{false, true} {
				name := fmt.Sprintf("%s-%d-%v", kind, n, sticky)
				t.Run(name, func(t *testing.T) {
					fault(t, filepath.Join(dir, name), &faulty{disk: osDisk{}, kind: kind, n: n, sticky: sticky})
				})
			}
		}
	}
}

func fault(t *testing.T, path string, d *faulty) {
	// A torn tail, so that opening has something to truncate.
	file, ends, _ := sample(t)
	if err := os.WriteFile(path, file[:ends[1]+3], 0o600); err != nil {
		t.Fatal(err)
	}
	known := []string{"alpha"}
	maybe := [][]string{} // other contents that an unacknowledged call may have left
	j, recs, err := open(path, d)
	if err != nil {
		if !errors.Is(err, errFault) {
			t.Fatalf("open: %v", err)
		}
	} else {
		if texts(recs) != "alpha" {
			t.Fatalf("opened with %q", texts(recs))
		}
		failed := false
		for i := range 6 {
			var err error
			next := append(append([]string{}, known...), fmt.Sprint(i))
			if i == 3 {
				next = []string{"rewritten", "to", "this"}
				err = j.Rewrite([][]byte{[]byte("rewritten"), []byte("to"), []byte("this")})
			} else {
				err = j.Append([]byte(fmt.Sprint(i)))
			}
			if err == nil {
				if failed {
					t.Fatalf("call %d succeeded after the journal had failed", i)
				}
				known, maybe = next, nil
				continue
			}
			if !errors.Is(err, errFault) && !errors.Is(err, ErrFailed) {
				t.Fatalf("call %d: %v", i, err)
			}
			if !failed {
				maybe = append(maybe, next)
			}
			failed = failed || errors.Is(j.err, ErrFailed)
			if (d.kind == "sync" && i != 3) && !failed {
				t.Fatalf("call %d: a failed fsync has not failed the journal", i)
			}
		}
		if !failed {
			next := append(append([]string{}, known...), "end")
			if j.Append([]byte("end")) == nil {
				known, maybe = next, nil
			} else {
				maybe = append(maybe, next)
			}
		}
		j.Close()
	}
	got, err := Read(path)
	if err != nil {
		t.Fatalf("read afterwards: %v", err)
	}
	ok := texts(got) == join(known)
	for _, m := range maybe {
		ok = ok || texts(got) == join(m)
	}
	if !ok {
		t.Fatalf("holds %q, acknowledged was %q", texts(got), join(known))
	}
	// The disk is well again.
	j, again, err := Open(path)
	if err != nil || texts(again) != texts(got) {
		t.Fatalf("opened again: %q, %v, want %q", texts(again), err, texts(got))
	}
	if err := j.Append([]byte("well")); err != nil {
		t.Errorf("append: %v", err)
	}
	j.Close()
}

func join(s []string) string {
	var b [][]byte
	for _, x := range s {
		b = append(b, []byte(x))
	}
	return texts(b)
}

// A full disk is the fault that a journal must live with: the append fails, and
// once there is room the next succeeds on the same Journal.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	d := &faulty{disk: osDisk{}, kind: "write", n: 3}
	j, _, err := open(path, d)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, want := range []error{nil, errFault, nil} {
		if err := j.Append([]byte(fmt.Sprint(i))); !errors.Is(err, want) {
			t.Fatalf("append %d: %v, want %v", i, err, want)
		}
		st, err := os.Stat(path)
		if err != nil || st.Size() != j.Size() {
			t.Errorf("after append %d the file has %d bytes, the journal %d", i, st.Size(), j.Size())
		}
	}
	if recs, err := Read(path); err != nil || texts(recs) != "0,2" {
		t.Errorf("records %q, %v", texts(recs), err)
	}
}

// If what a failed append has written cannot be taken back, nothing may follow
// it: a later append would stand behind a frame that cannot be read.
func TestFullDiskThatCannotBeCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	d := &faulty{disk: osDisk{}, kind: "write", n: 3}
	j, _, err := open(path, d)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append([]byte("0")); err != nil {
		t.Fatal(err)
	}
	d.also = "truncate"
	if err := j.Append([]byte("1")); !errors.Is(err, errFault) {
		t.Errorf("append: %v", err)
	}
	if err := j.Append([]byte("2")); !errors.Is(err, ErrFailed) {
		t.Errorf("append to a failed journal: %v", err)
	}
	if err := j.Rewrite(nil); !errors.Is(err, ErrFailed) {
		t.Errorf("rewrite of a failed journal: %v", err)
	}
	if recs, err := Read(path); err != nil || texts(recs) != "0" {
		t.Errorf("records %q, %v", texts(recs), err)
	}
}

// What is acknowledged is durable: the last thing that Append does is one fsync
// after one write, and Rewrite takes the name only with a file that is durable
// and locked.
func TestOrderOfCalls(t *testing.T) {
	d := &faulty{disk: osDisk{}}
	j, _, err := open(filepath.Join(t.TempDir(), "j"), d)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for what, c := range map[string]struct {
		call func() error
		want string
	}{
		"append":  {func() error { return j.Append([]byte("a"), []byte("b")) }, "write sync"},
		"rewrite": {func() error { return j.Rewrite([][]byte{[]byte("a")}) }, "create write write lock sync rename syncdir"},
	} {
		d.trace = nil
		if err := c.call(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.trace, " "); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

// The name may be given to another file between open and lock.
func TestOpenOfAFileThatWasReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	first, _ := mustOpen(t, path)
	if err := first.Append([]byte("old")); err != nil {
		t.Fatal(err)
	}
	d := &swapped{osDisk: osDisk{}, first: first}
	j, recs, err := open(path, d)
	if err != nil || texts(recs) != "new" || d.opens != 2 {
		t.Fatalf("opened %q after %d opens, %v", texts(recs), d.opens, err)
	}
	j.Close()
}

// swapped rewrites and closes first right after the second has opened the file.
type swapped struct {
	osDisk
	first *Journal
	opens int
}

func (d *swapped) Open(path string) (file, error) {
	f, err := d.osDisk.Open(path)
	d.opens++
	if d.opens == 1 {
		err = errors.Join(err, d.first.Rewrite([][]byte{[]byte("new")}), d.first.Close())
	}
	return f, err
}
