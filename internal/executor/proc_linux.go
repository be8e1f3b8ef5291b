package executor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// identity is a process for good. Its number alone is given away again as soon
// as the process is gone; with the instant of its start it is not.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in ticks since boot
}

// proc is one process as /proc shows it.
type proc struct {
	identity
	Parent  int
	Session int
	State   byte
	CPU     time.Duration // of itself and of the children that it has waited for
	Waited  time.Duration // the part of CPU that is its children's
}

var errNoProcess = errors.New("no such process")

// readProc returns the process pid, errNoProcess if there is none.
func readProc(pid int) (proc, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return proc{}, errNoProcess
	}
	if err != nil {
		return proc{}, err
	}
	return parseStat(b)
}

// parseStat reads one line of /proc/PID/stat (proc_pid_stat(5)). The second
// field is the program's name in parentheses, which may itself hold spaces and
// parentheses: fields are counted from the last one.
func parseStat(b []byte) (proc, error) {
	open, shut := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || shut < open {
		return proc{}, errors.New("stat of a process has no name")
	}
	f := strings.Fields(string(b[shut+1:]))
	if len(f) < 20 || len(f[0]) != 1 {
		return proc{}, fmt.Errorf("stat of a process has %d fields", len(f))
	}
	var bad error
	number := func(s string) uint64 {
		n, err := strconv.ParseInt(s, 10, 64) // some fields are -1 at times
		if err != nil {
			bad = errors.Join(bad, err)
		}
		return uint64(n)
	}
	p := proc{
		identity: identity{PID: int(number(string(bytes.TrimSpace(b[:open])))), Start: number(f[19])},
		Parent:   int(number(f[1])),
		Session:  int(number(f[3])),
		State:    f[0][0],
		Waited:   time.Duration(number(f[13])+number(f[14])) * clockTick,
	}
	p.CPU = p.Waited + time.Duration(number(f[11])+number(f[12]))*clockTick
	return p, bad
}

// scan returns all processes.
func scan() ([]proc, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []proc
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := readProc(pid)
		if errors.Is(err, errNoProcess) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// below returns the processes of all that descend from one for which root is
// true, and not those themselves.
func below(all []proc, root func(proc) bool) []proc {
	byPID := make(map[int]proc, len(all))
	for _, p := range all {
		byPID[p.PID] = p
	}
	var out []proc
	for _, p := range all {
		q, ok := byPID[p.Parent]
		// A scan is no snapshot, and parents of different instants could form
		// a circle: no line of descent is longer than there are processes.
		for n := 0; ok && n < len(all); n++ {
			if root(q) {
				out = append(out, p)
				break
			}
			q, ok = byPID[q.Parent]
		}
	}
	return out
}

// descendants returns all processes below the one with identity of.
func descendants(of identity) ([]proc, error) {
	all, err := scan()
	if err != nil {
		return nil, err
	}
	return below(all, func(p proc) bool { return p.identity == of }), nil
}

// gone reports whether p has ended: a zombie does nothing any more, unless only
// its first thread has ended.
func (p proc) gone() bool {
	switch p.State {
	case 'X', 'x':
		return true
	case 'Z':
		threads, err := os.ReadDir("/proc/" + strconv.Itoa(p.PID) + "/task")
		return err != nil || len(threads) < 2
	}
	return false
}

// stopped reports whether p makes no progress until it is continued.
func (p proc) stopped() bool {
	switch p.State {
	case 'T', 't':
		return true
	case 'D', 'Z':
		// Asleep in the kernel, such as a parent whose child by vfork was
		// stopped before its exec: it will stop before it runs a single
		// instruction more.
		return p.stopPending()
	}
	return false
}

// stopPending reports whether SIGSTOP was sent to p and not yet taken.
func (p proc) stopPending() bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		name, mask, _ := strings.Cut(line, ":")
		if name != "ShdPnd" && name != "SigPnd" {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err == nil && bits&(1<<(unix.SIGSTOP-1)) != 0 {
			return true
		}
	}
	return false
}

// signal sends sig to the process and to no other that has got its number since.
// A process that is gone is no error.
func (i identity) signal(sig unix.Signal) error {
	if i.PID <= 1 { // 0 and -1 would mean many, and 1 is never ours
		return fmt.Errorf("process %d is not one to signal", i.PID)
	}
	fd, err := unix.PidfdOpen(i.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
		fd = -1 // before Linux 5.3, or forbidden by a sandbox
	case err != nil:
		return fmt.Errorf("open process %d: %w", i.PID, err)
	default:
		defer unix.Close(fd)
	}
	// The descriptor holds on to whichever process had the number when it was
	// opened. If the one that has it now is ours, it was ours then.
	p, err := readProc(i.PID)
	if errors.Is(err, errNoProcess) || err == nil && p.identity != i {
		return nil
	}
	if err != nil {
		return err
	}
	if fd >= 0 {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	} else {
		err = unix.Kill(i.PID, sig)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", i.PID, err)
	}
	return nil
}

// cpuBelow returns the processor time of all processes below the shim, and of
// those that have ended. It walks the tree only, and not all of /proc, so that
// asking often is cheap; where the kernel does not list children it is 0.
func cpuBelow(shim identity) time.Duration {
	p, err := readProc(shim.PID)
	if err != nil || p.identity != shim {
		return 0
	}
	sum := p.Waited
	todo := []int{shim.PID}
	for seen := map[int]bool{shim.PID: true}; len(todo) > 0; {
		for _, pid := range children(todo[0]) {
			if seen[pid] {
				continue
			}
			seen[pid] = true
			if p, err := readProc(pid); err == nil {
				sum += p.CPU
				todo = append(todo, pid)
			}
		}
		todo = todo[1:]
	}
	return sum
}

func children(pid int) []int {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []int
	for _, t := range threads {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for _, s := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(s); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// bootID names this boot of the machine: process numbers and ticks of another
// boot mean nothing in this one.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// bootTicks is now on the clock that the starts of processes are told in.
func bootTicks() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano()) / uint64(clockTick)
}

// self returns the identity of this process.
func self() (identity, error) {
	p, err := readProc(os.Getpid())
	return p.identity, err
}
