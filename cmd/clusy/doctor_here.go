package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/merkle"
)

// machine looks at this machine: all that needs no server.
func (d *doctor) machine(ctx context.Context) {
	st, err := os.Stat(d.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say("data", skipped, d.dir+" is not there yet").so("It is where a server keeps everything.", "clusy serve makes it; --data names another one")
	case err != nil:
		d.say("data", broken, firstLine(err)).so("A server could not open its store.", "clusy doctor --data DIR, for a directory that you may read")
	case !st.IsDir():
		d.say("data", broken, d.dir+" is no directory").so("A server could not start.", "move it away, or name a directory with --data")
	default:
		d.directory(st)
		d.keys()
	}
	d.starts(ctx)
	if _, ok := executor.OpenRAPL("/"); ok {
		d.say("energy", fine, "measured: this processor's counters (RAPL) can be read")
	} else {
		d.say("energy", warned, "declared, not measured: this machine's counters (RAPL) cannot be read").so("Ledger entries rest on shape.power, and say so.", "on a machine of its own with an Intel or AMD processor: give the server's group, and nobody else, the right to read /sys/class/powercap/*/energy_uj; most virtual machines have none")
	}
}

// directory looks at the data directory itself: whose it is, whether it can be
// written, and what it lies on.
func (d *doctor) directory(st fs.FileInfo) {
	name := quoted(d.dir)
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		d.say("data", broken, fmt.Sprintf("%s has mode %04o: others on this machine can look into it", d.dir, mode)).so("It holds keys, and the output of workloads.", "chmod 700 "+name)
	} else if uid, ok := ownerOf(st); ok && uid != os.Geteuid() {
		d.say("data", broken, fmt.Sprintf("%s belongs to user %d, and you are %d", d.dir, uid, os.Geteuid())).so("A server that you start could not use it.", fmt.Sprintf("chown -R %d %s, or run as its owner", os.Geteuid(), name))
	} else if written, took, err := probe(d.dir); err != nil {
		d.say("data", broken, fmt.Sprintf("%s cannot be written: %v", d.dir, err)).so("A server could not keep anything.", "see df "+name+" and mount: is it full, or mounted read-only?")
	} else {
		d.say("data", fine, fmt.Sprintf("%s, mode %04o, yours; a file was written, locked and synced in %s", d.dir, st.Mode().Perm(), took.Round(100*time.Microsecond)))
		// A file's time is the file system's, and on a network another machine's.
		if off := time.Since(written).Abs(); off > 2*time.Second+took {
			d.say("clock", warned, fmt.Sprintf("the file system's clock is %s from this machine's", span(off))).so("Times on disk and times in the log would not agree.", "set both by NTP: timedatectl set-ntp true")
		} else if year := time.Now().Year(); year < 2025 {
			d.say("clock", broken, fmt.Sprintf("says that it is %d", year)).so("No window and no signal would fit.", "set it by NTP: timedatectl set-ntp true")
		} else {
			d.say("clock", fine, "agrees with the file system's, "+time.Now().UTC().Format("2006-01-02 15:04 UTC"))
		}
	}
	disk, err := diskOf(d.dir)
	if err != nil {
		d.say("disk", skipped, firstLine(err))
		return
	}
	says := fmt.Sprintf("%s free, the store takes %s", size(disk.free), size(uint64(dirSize(filepath.Join(d.dir, "store")))))
	const full = "When the disk is full the server stops taking work."
	mend := "free some space below " + name + ", or move it to a larger disk"
	switch {
	case disk.free < d.least:
		d.say("disk", broken, says+", less than "+size(d.least)).so(full, mend)
	case disk.free/4 < d.least:
		d.say("disk", warned, says+", less than four times "+size(d.least)).so(full, mend)
	default:
		d.say("disk", fine, says)
	}
	switch {
	case disk.volatile:
		d.say("file system", warned, disk.kind+": it is in memory").so("Store, keys and ledger are gone after a restart of the machine.", "clusy serve --data DIR, on a disk")
	case disk.remote:
		d.say("file system", warned, disk.kind+": it is on a network, or not the kernel's").so("SQLite's locks and syncs may not hold there, and then the ledger may break.", "clusy serve --data DIR, on a local disk")
	default:
		d.say("file system", fine, disk.kind)
	}
}

// probe writes a file, locks it and waits until it is on the disk. It returns
// the time that the file system gave it.
func probe(dir string) (written time.Time, took time.Duration, err error) {
	began := time.Now()
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return time.Time{}, 0, rootOf(err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err = f.WriteString("clusy doctor was here\n"); err != nil {
		return time.Time{}, 0, rootOf(err)
	}
	if err = errors.Join(lockFile(f), f.Sync()); err != nil {
		return time.Time{}, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return time.Time{}, 0, err
	}
	return st.ModTime(), time.Since(began), nil
}

// keys looks at the modes of the files that must be nobody else's.
func (d *doctor) keys() {
	dir := filepath.Join(d.dir, "keys")
	var open []string
	found := 0
	for _, name := range []string{"log.key", "enclave.key"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		found++
		if st.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s has mode %04o", name, st.Mode().Perm()))
		}
	}
	switch {
	case len(open) > 0:
		d.say("keys", broken, strings.Join(open, ", ")).so("Who reads log.key can sign a false ledger; who reads enclave.key can open every intent.", "chmod 600 "+quoted(dir)+"/*.key")
	case found == 0:
		d.say("keys", skipped, "none yet").so("", "clusy serve makes them at its first start")
	default:
		d.say("keys", fine, "readable by you alone")
	}
}

// starts runs one program, in a directory that is removed again, just as the
// agent would.
func (d *doctor) starts(ctx context.Context) {
	const why, next = "No workload could run here.", "see that /proc is mounted, that this binary may be executed, and that ulimit -u leaves room"
	dir, err := os.MkdirTemp("", "clusy-doctor-")
	if err != nil {
		d.say("programs", broken, firstLine(err)).so(why, "see that "+os.TempDir()+" can be written, or set TMPDIR")
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	p := &executor.Process{Root: dir, Shim: shim}
	began := time.Now()
	if err := p.Start(ctx, executor.Task{Name: "doctor", Argv: []string{"true"}, Env: []string{"PATH=" + os.Getenv("PATH")}, Max: 5 * time.Second}); err != nil {
		d.say("programs", broken, "cannot be started: "+firstLine(err)).so(why, next)
		return
	}
	for {
		o, err := p.Observe(ctx, "doctor")
		switch {
		case err == nil && o.Phase == executor.Ended && o.ExitCode == 0 && o.Cause == "":
			d.say("programs", fine, fmt.Sprintf("can be started: `true` ran and was accounted for in %s", time.Since(began).Round(time.Millisecond)))
			return
		case err != nil || o.Phase == executor.Ended || o.Phase == executor.Lost:
			d.say("programs", broken, fmt.Sprintf("`true` did not run as it should: %s %s", o.Phase, o.Cause)).so(why, next)
			return
		}
		select {
		case <-ctx.Done():
			_ = p.Stop(context.WithoutCancel(ctx), "doctor", 0, "clusy doctor gave up")
			d.say("programs", broken, "`true` has not ended after 10 s").so(why, next)
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// token says whose the token is, and until when it counts.
func (d *doctor) token(ctx context.Context) {
	s, err := d.client.Session(ctx)
	left := time.Until(s.Until)
	switch {
	case err != nil:
		d.say("token", fine, "the server takes it; until when it does not say: "+firstLine(err))
	case s.Role == "":
		d.say("token", broken, "its grant is over").so("Every command is refused.", "clusy serve --new-admin-token prints another one")
	case d.status.Demo:
		d.say("token", fine, "the server takes it as "+s.Role+"; it ends with the demo")
	case left < 14*24*time.Hour:
		d.say("token", warned, fmt.Sprintf("the server takes it as %s, for another %s", s.Role, span(left))).so("After that every command is refused.", "clusy serve --new-admin-token prints another one")
	default:
		d.say("token", fine, fmt.Sprintf("the server takes it as %s, until %s", s.Role, s.Until.UTC().Format("2 January 2006")))
	}
}

// log checks the signature on the log's head: by the key in the data directory
// if we have it, else by the one that the server names itself.
func (d *doctor) log(ctx context.Context) {
	cp, err := d.client.Checkpoint(ctx)
	if err != nil {
		d.say("log", broken, "no signed head: "+firstLine(err)).so("The ledger cannot be proved.", "clusy ledger verify --data "+quoted(d.dir))
		return
	}
	key, whose := cp.Key, "the key that the server names (clusy ledger verify --key checks by one that you kept)"
	if b, err := os.ReadFile(filepath.Join(d.dir, "keys", "log.pub")); err == nil && strings.HasPrefix(string(b), cp.Origin+"+") {
		key, whose = strings.TrimSpace(string(b)), "the key in the data directory"
	}
	trusted, err := merkle.NewVerifiers(key)
	if err == nil {
		_, err = merkle.OpenCheckpoint([]byte(cp.Text), trusted, cp.Origin)
	}
	if err != nil {
		d.say("log", broken, "the signed head does not hold: "+firstLine(err)).so("Somebody else signed it, or it was changed on its way.", "clusy ledger verify --data "+quoted(d.dir))
		return
	}
	d.say("log", fine, fmt.Sprintf("head of %d leaves, signed by %s", cp.Size, whose))
}

// disk is what a directory lies on.
type disk struct {
	kind     string
	free     uint64 // bytes that we may use
	volatile bool   // gone after a restart of the machine
	remote   bool   // locks and syncs are not the kernel's own
}

// bytesOf reads an amount of disk space: "500MiB", "5GB".
func bytesOf(s string) (uint64, error) {
	for _, u := range []struct {
		unit string
		size float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}} {
		if n, ok := strings.CutSuffix(strings.TrimSpace(s), u.unit); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
			if err != nil || !(f >= 0 && f*u.size < 1<<62) {
				break
			}
			return uint64(f * u.size), nil
		}
	}
	return 0, errors.New("write an amount with its unit: 500MiB or 5GiB")
}

// size prints an amount of disk space for people.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if f < 10 && i > 0 {
		return fmt.Sprintf("%.1f %s", f, units[i])
	}
	return fmt.Sprintf("%.0f %s", f, units[i])
}
