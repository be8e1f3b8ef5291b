package executor

import (
	"encoding/json"
	"errors"

	"clusy.io/clusy/internal/journal"
)

// recorder writes events to the journal of a task. What cannot be written now,
// as the disk is full, it keeps and tries again: the shim would rather stay
// than let the end of a task go unrecorded.
type recorder struct {
	path    string
	j       *journal.Journal
	seq     int
	waiting []event
}

func openRecorder(path string) (*recorder, error) {
	r := &recorder{path: path}
	return r, r.open()
}

func (r *recorder) open() error {
	j, records, err := journal.Open(r.path)
	if err != nil {
		return err
	}
	a, err := fold(records)
	if err != nil {
		return errors.Join(err, j.Close())
	}
	r.j = j
	r.seq = max(r.seq, a.seq)
	// What was in doubt when the journal failed is on the disk after all.
	for len(r.waiting) > 0 && r.waiting[0].Seq <= a.seq {
		r.waiting = r.waiting[1:]
	}
	return nil
}

// add writes e now if it can and later if it cannot.
func (r *recorder) add(e event) error {
	r.seq++
	e.Seq = r.seq
	r.waiting = append(r.waiting, e)
	return r.flush()
}

// flush writes what waits. After nil everything added is durable.
func (r *recorder) flush() error {
	if len(r.waiting) == 0 {
		return nil
	}
	if r.j == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	batch := make([][]byte, 0, len(r.waiting))
	for _, e := range r.waiting {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		batch = append(batch, b)
	}
	err := r.j.Append(batch...)
	if err == nil {
		r.waiting = nil
		return nil
	}
	// Whether the journal is still good or failed, opening it again finds out
	// what it holds, and the next flush goes on from there.
	err = errors.Join(err, r.j.Close())
	r.j = nil
	return err
}

func (r *recorder) close() error {
	if r.j == nil {
		return nil
	}
	err := r.j.Close()
	r.j = nil
	return err
}
