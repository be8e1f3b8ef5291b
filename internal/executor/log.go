package executor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A task's output is kept in pieces of one fixed size, of which the last two
// remain: log.0, log.1, log.2 … Piece n begins at byte n × size of all that was
// ever written, so that an offset means the same before and after a piece is
// dropped, and no second file can disagree with the first.

// logWriter writes pieces. It never stops the task: what cannot be written, on
// a full disk for instance, is dropped.
type logWriter struct {
	dir  string
	size int64 // of one piece: half of what may be kept
	n    int64 // the piece that is written
	f    *os.File
	used int64
}

func newLogWriter(dir string, limit int64) *logWriter {
	return &logWriter{dir: dir, size: pieceSize(limit)}
}

func pieceSize(limit int64) int64 {
	if limit == 0 {
		limit = DefaultLogLimit
	}
	return limit / 2
}

func piece(dir string, n int64) string {
	return filepath.Join(dir, "log."+strconv.FormatInt(n, 10))
}

// Write writes b or drops it, and never fails.
func (w *logWriter) Write(b []byte) (int, error) {
	all := len(b)
	for len(b) > 0 {
		if !w.ready() {
			break
		}
		n, err := w.f.Write(b[:min(int64(len(b)), w.size-w.used)])
		w.used += int64(n)
		b = b[n:]
		if err != nil {
			break
		}
	}
	return all, nil
}

// ready makes room in the current piece or begins the next one.
func (w *logWriter) ready() bool {
	n := w.n
	if w.f != nil {
		if w.used < w.size {
			return true
		}
		// Drop the oldest first: at no instant is more kept than allowed.
		n++
		if err := os.Remove(piece(w.dir, n-2)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	f, err := os.OpenFile(piece(w.dir, n), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return false
	}
	if w.f != nil {
		w.f.Close() // nothing can be done, and what is lost is log
	}
	w.f, w.n, w.used = f, n, 0
	return true
}

// Close makes what was written durable.
func (w *logWriter) Close() error {
	if w.f == nil {
		return nil
	}
	return errors.Join(w.f.Sync(), w.f.Close())
}

const (
	defaultChunk = 64 << 10
	maxChunk     = 4 << 20
)

// readLog returns a chunk of the log in dir; see Executor.Logs.
func readLog(dir string, logLimit, offset int64, limit int) (Chunk, error) {
	if limit <= 0 {
		limit = defaultChunk
	}
	limit = min(limit, maxChunk)
	var c Chunk
	var err error
	// A piece may be dropped between the listing and the reading of it. Then
	// look again: the writer would have to be faster than us each time.
	for range 5 {
		c, err = readPieces(dir, pieceSize(logLimit), offset, limit)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return c, err
}

func readPieces(dir string, size, offset int64, limit int) (Chunk, error) {
	first, last, err := pieces(dir)
	if err != nil || last < 0 {
		return Chunk{Offset: 0}, err
	}
	st, err := os.Stat(piece(dir, last))
	if err != nil {
		return Chunk{}, err
	}
	end := last*size + min(st.Size(), size)
	if offset < 0 {
		offset = end - int64(limit)
	}
	offset = min(max(offset, first*size), end)
	c := Chunk{Offset: offset, Next: offset, Size: end}
	for c.Next < end && len(c.Data) < limit {
		n := c.Next / size
		want := min(end, (n+1)*size) - c.Next
		b, err := readAt(piece(dir, n), c.Next%size, min(want, int64(limit-len(c.Data))))
		if err != nil {
			return Chunk{}, err
		}
		c.Data = append(c.Data, b...)
		c.Next += int64(len(b))
		if len(b) == 0 {
			break
		}
	}
	return c, nil
}

// pieces returns the numbers of the oldest and newest piece, -1 if there is none.
func pieces(dir string) (first, last int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1, -1, err
	}
	first, last = -1, -1
	for _, e := range entries {
		s, ok := strings.CutPrefix(e.Name(), "log.")
		n, err := strconv.ParseInt(s, 10, 62)
		if !ok || err != nil || n < 0 {
			continue
		}
		if first < 0 || n < first {
			first = n
		}
		last = max(last, n)
	}
	return first, last, nil
}

func readAt(path string, at, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	got, err := f.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return b[:got], nil
}
