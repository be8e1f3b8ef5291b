package executor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// runEnv marks every process of a task with its start. taskEnv tells the
// program, and a person who looks, which task it is.
const (
	runEnv  = "CLUSY_RUN"
	taskEnv = "CLUSY_TASK"
)

// leftovers picks from all the processes those of the task whose shim is dead.
// The kernel has handed them to another parent, so descent does not tell, but:
//
//   - they carry the mark in their environment, unless they have cleaned it;
//   - they are in the shim's session, unless they have left it. Its number can
//     have been given to another session since, but not while the shim lived
//     or while one process of its session does. So if any process in it is
//     older than the shim's last pulse, all that are in it are ours;
//   - what descends from one of them is one of them.
//
// A process that has done both and lost its parent is not found. Neither does a
// task do so by accident, nor do we kill on suspicion.
func leftovers(all []proc, c claim, last pulse, marked func(pid int) bool) []proc {
	oldSession := false
	for _, p := range all {
		if p.Session == c.Shim.PID && p.Start <= last.Ticks && p.Start >= c.Shim.Start {
			oldSession = true
		}
	}
	ours := func(p proc) bool {
		return oldSession && p.Session == c.Shim.PID || marked(p.PID)
	}
	var out []proc
	seen := map[int]bool{}
	take := func(p proc) {
		if !seen[p.PID] {
			seen[p.PID] = true
			out = append(out, p)
		}
	}
	for _, p := range all {
		if ours(p) {
			take(p)
		}
	}
	roots := map[int]bool{}
	for pid := range seen {
		roots[pid] = true
	}
	for _, p := range below(all, func(p proc) bool { return roots[p.PID] }) {
		take(p)
	}
	return out
}

// hasMark reports whether the process carries the mark of the run. Those of
// other users cannot be read, and are not ours.
func hasMark(pid int, run string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil || run == "" {
		return false
	}
	mark := []byte(runEnv + "=" + run)
	for _, e := range bytes.Split(b, []byte{0}) {
		if bytes.Equal(e, mark) {
			return true
		}
	}
	return false
}

// killLeftovers ends what is alive of the task whose shim is dead, and returns
// nil only when nothing is.
func killLeftovers(ctx context.Context, c claim, last pulse) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	if boot != c.Boot {
		return nil // the machine has been down since, and all with it
	}
	deadline := time.Now().Add(patience)
	// One clean scan is no proof: a process may have forked behind the reading
	// hand and died before it. Of a second one, that would have to be true of a
	// process that was already there in the first.
	for clean := 0; clean < 2; {
		all, err := scan()
		if err != nil {
			return err
		}
		alive := 0
		for _, p := range leftovers(all, c, last, func(pid int) bool { return hasMark(pid, c.Run) }) {
			if p.gone() {
				continue
			}
			alive++
			if err := p.signal(unix.SIGKILL); err != nil {
				return err
			}
		}
		clean++
		if alive == 0 {
			continue
		}
		clean = 0
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of a lost task do not die", alive)
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause waits for d or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
