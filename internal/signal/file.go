package signal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"clusy.io/clusy/internal/grid"
)

// FileOptions says what a file does not say itself. The zero value does for
// average lifecycle intensities that were measured.
type FileOptions struct {
	// Name of the provider. Without it: the one that the file gives (JSON),
	// else "file/" and the last part of the file's name.
	Name string
	// Basis of the values. If it is not given, it is what the file says
	// (JSON), else AverageLifecycle; a file that says another is refused.
	Basis grid.Basis
	// Grade of what was measured: A if it is not given. Values marked as
	// estimated are B at best.
	Grade grid.Grade
	// Estimated names the zones all of whose values are modelled, where the
	// file does not say so.
	Estimated []grid.Zone
	// MaxSize in bytes: 64 MiB if it is not given.
	MaxSize int64
	// Zones renames the file's columns or locations, as "eastus" to
	// "US-MIDA-PJM". What it does not name keeps its name.
	Zones map[string]grid.Zone
}

const (
	defaultMaxSize = 64 << 20
	// mostCells bounds the values of one file, gaps filled: 128 MiB of them.
	mostCells = 16 << 20
	mostZones = 2000
)

// file is a provider that reads one file, again whenever it changes.
type file struct {
	fsys fs.FS
	name string
	o    FileOptions
	id   string // Name of the provider, fixed at opening

	mu    sync.Mutex
	seen  stamp
	read  tracks
	fault error // why the file as seen cannot be used; nil if it can
}

// stamp tells one state of a file from another.
type stamp struct {
	size    int64
	changed time.Time
}

// OpenFile returns a provider that reads a CSV or JSON file; README.md has the
// forms. The file is checked as a whole: one bad value refuses it, with the
// line and the reason. It is read again when its size or time of change is
// another, and while it is bad the provider fails: so write it beside and
// rename it into place.
func OpenFile(name string, o FileOptions) (Provider, error) {
	dir, base := filepath.Split(name)
	if dir == "" {
		dir = "."
	}
	return OpenFS(os.DirFS(dir), base, o)
}

// OpenFS is OpenFile for a file of fsys.
func OpenFS(fsys fs.FS, name string, o FileOptions) (Provider, error) {
	if o.Basis != (grid.Basis{}) && !known(o.Basis) {
		return nil, fmt.Errorf("open %s: basis %q, want average or marginal, lifecycle or direct", name, o.Basis)
	}
	if o.Grade == "" {
		o.Grade = grid.GradeA
	}
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	f := &file{fsys: fsys, name: name, o: o}
	if err := f.reload(); err != nil {
		return nil, err
	}
	f.id = f.read.name
	return f, nil
}

func (f *file) Name() string { return f.id }

// Basis is what the file says, or what was declared of it.
func (f *file) Basis() grid.Basis {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read.basis
}

func (f *file) Zones(ctx context.Context) ([]grid.Zone, error) {
	ts, err := f.tracks(ctx)
	if err != nil {
		return nil, err
	}
	return ts.zoneNames(), nil
}

func (f *file) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	ts, err := f.tracks(ctx)
	if err != nil {
		return grid.Series{}, err
	}
	return ts.history(zone, from, to, now)
}

// tracks returns what the file says now. The maps in it are never changed.
func (f *file) tracks(ctx context.Context) (tracks, error) {
	if err := ctx.Err(); err != nil {
		return tracks{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reload(); err != nil {
		return tracks{}, err
	}
	ts := f.read
	ts.name = f.id
	return ts, nil
}

// reload reads the file if it is another than the one read last.
func (f *file) reload() error {
	// Before opening: to open a pipe would wait for whoever writes to it.
	info, err := fs.Stat(f.fsys, f.name)
	if err != nil {
		return fmt.Errorf("look at %s: %w", f.name, bare(err))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.name)
	}
	now := stamp{info.Size(), info.ModTime()}
	if now == f.seen && (f.fault != nil || f.read.zones != nil) {
		return f.fault
	}
	if info.Size() > f.o.MaxSize {
		return fmt.Errorf("%s has %d bytes, want at most %d", f.name, info.Size(), f.o.MaxSize)
	}
	r, err := f.fsys.Open(f.name)
	if err != nil {
		return fmt.Errorf("open %s: %w", f.name, bare(err))
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, f.o.MaxSize+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name, bare(err))
	}
	if int64(len(body)) > f.o.MaxSize {
		return fmt.Errorf("%s has more than %d bytes", f.name, f.o.MaxSize)
	}
	ts, err := parse(path.Base(f.name), body, f.o)
	if err != nil {
		f.seen, f.fault = now, fmt.Errorf("%s: %w", f.name, err)
		return f.fault
	}
	f.seen, f.read, f.fault = now, ts, nil
	return nil
}

// bare drops from a file error what our own words say already.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// parse reads a file by its looks: JSON begins with a brace or a bracket.
func parse(base string, body []byte, o FileOptions) (tracks, error) {
	ts := tracks{name: o.Name, grade: o.Grade}
	text, err := plainText(body)
	if err != nil {
		return tracks{}, err
	}
	t := newTable(o)
	if head := strings.TrimLeft(text[:min(len(text), 1024)], " \t\r\n"); strings.HasPrefix(head, "{") || strings.HasPrefix(head, "[") {
		var provider string
		if provider, err = parseJSON(text, t); ts.name == "" {
			ts.name = provider
		}
	} else {
		err = parseCSV(text, t)
	}
	if err != nil {
		return tracks{}, err
	}
	if t.o.Basis == (grid.Basis{}) {
		t.o.Basis = grid.AverageLifecycle
	}
	ts.basis = t.o.Basis
	if ts.zones, err = t.tracks(); err != nil {
		return tracks{}, err
	}
	if ts.name == "" {
		ts.name = "file/" + base
	}
	return ts, nil
}

// plainText returns the body without the mark that some programs put before
// UTF-8, and refuses other encodings.
func plainText(body []byte) (string, error) {
	text := string(body)
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return "", errors.New("line 1: the file is UTF-16; save it as UTF-8")
	case strings.ContainsRune(text, 0):
		return "", errors.New("the file is not text: it has a zero byte")
	}
	return strings.TrimPrefix(text, "\ufeff"), nil
}
