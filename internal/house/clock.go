package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Clock is the time that workloads are planned in. The zero Clock is real
// time; a replay runs from Epoch, Rate of its seconds in one real second.
type Clock struct {
	Epoch time.Time `json:"epoch"` // of the replay
	Began time.Time `json:"began"` // the real time at which it was Epoch
	Speed float64   `json:"rate"`  // 0: real time
	Ends  time.Time `json:"ends"`  // of the replayed data
}

// Now returns the clock's time.
func (c Clock) Now() time.Time { return c.At(time.Now()) }

// At returns the clock's time at a real time, to the microsecond.
func (c Clock) At(real time.Time) time.Time {
	if c.Speed == 0 {
		return real.UTC().Truncate(time.Microsecond)
	}
	return c.Epoch.Add(time.Duration(float64(real.Sub(c.Began)) * c.Speed)).UTC().Truncate(time.Microsecond)
}

// Rate returns how many of the clock's seconds pass in a real one.
func (c Clock) Rate() float64 {
	if c.Speed == 0 {
		return 1
	}
	return c.Speed
}

// Scaled returns how much of the clock's time passes in d of real time.
func (c Clock) Scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.Rate())
}

// replayClock returns the clock of a replay. Its beginning is kept in dir, so
// that a process that comes back finds the time gone on.
func replayClock(dir string, fresh Clock) (Clock, error) {
	path := filepath.Join(dir, "clock.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if b, err = json.Marshal(fresh); err == nil {
			err = writePrivate(path, b)
		}
		if err != nil {
			return Clock{}, fmt.Errorf("keep the replay's clock: %w", err)
		}
		return fresh, nil
	}
	if err != nil {
		return Clock{}, fmt.Errorf("read the replay's clock: %w", err)
	}
	var c Clock
	if err := json.Unmarshal(b, &c); err != nil || c.Speed <= 0 {
		return Clock{}, fmt.Errorf("read the replay's clock: %s is damaged", path)
	}
	return c, nil
}

// writePrivate writes a file for its owner's eyes, whole or not at all.
func writePrivate(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
