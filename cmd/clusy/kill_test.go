package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy/internal/journal"
	"clusy.io/clusy/internal/store"
)

// binary builds the command once for all tests that run it for real.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "clusy-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "clusy")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// TestKill kills a demo with SIGKILL at random points, again and again, and
// lets it come back on its data. The programs themselves write down when they
// begin and end, so that what is held against Clusy's record is not ours.
//
//	nothing is lost:        every intent has one workload, and it ends
//	nothing starts twice:   every program began at most once
//	no phantom success:     what succeeded has begun and ended
//
// Sometimes a shim is killed instead: then its work is honestly lost, and must
// never be said to have succeeded. CLUSY_KILLS says how many demos (default 20).
func TestKill(t *testing.T) {
	n := 20
	if s := os.Getenv("CLUSY_KILLS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all tally
	t.Run("demos", func(t *testing.T) {
		for seed := range n {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				got := killed(t, bin, uint64(seed))
				mu.Lock()
				defer mu.Unlock()
				all.add(got)
			})
		}
	})
	t.Logf("%d demos, %d kills of the process, %d of shims: %d workloads, %d succeeded, %d failed as lost; %d lost, %d started twice, %d phantom successes",
		n, all.kills, all.shims, all.workloads, all.succeeded, all.honest, all.lost, all.twice, all.phantom)
	if all.lost+all.twice+all.phantom > 0 {
		t.Error("a promise is broken")
	}
	if all.kills < n {
		t.Errorf("only %d kills in %d demos: the test has not tested", all.kills, n)
	}
}

type tally struct{ kills, shims, workloads, succeeded, honest, lost, twice, phantom int }

func (a *tally) add(b tally) {
	a.kills += b.kills
	a.shims += b.shims
	a.workloads += b.workloads
	a.succeeded += b.succeeded
	a.honest += b.honest
	a.lost += b.lost
	a.twice += b.twice
	a.phantom += b.phantom
}

func killed(t *testing.T, bin string, seed uint64) (got tally) {
	rng := rand.New(rand.NewPCG(seed, 7))
	dir := t.TempDir()
	data, truth := filepath.Join(dir, "demo"), filepath.Join(dir, "truth")
	if err := os.WriteFile(truth, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kills := 1 + rng.IntN(4)
	var result demoResult
	for round := 0; ; round++ {
		if round > kills+2 {
			t.Fatalf("seed %d: the demo does not come to its end", seed)
		}
		// The replay runs at 4 h a second: a day and a half in nine.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, bin, "demo", "--json", "--speed", "4h", "--data", data, "--truth", truth)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var after <-chan time.Time
		if round < kills {
			after = time.After(time.Duration(50+rng.IntN(4000)) * time.Millisecond)
		}
		ended := false
		for !ended {
			select {
			case <-after:
				after = nil
				if rng.IntN(5) == 0 && killShim(data, rng) {
					got.shims++
					continue
				}
				_ = cmd.Process.Kill()
				<-done
				got.kills++
				ended = true
			case err := <-done:
				cancel()
				if out.Len() == 0 {
					t.Fatalf("seed %d: the demo ended with %v: %s\n%s", seed, err, errs.String(), standing(data))
				}
				if err := json.Unmarshal(out.Bytes(), &result); err != nil {
					t.Fatalf("seed %d: %v in %s", seed, err, out.String())
				}
				got.judge(t, seed, result, truth)
				return got
			}
		}
		cancel()
	}
}

// standing says how everything stood when a demo went wrong.
func standing(data string) string {
	var b strings.Builder
	db, err := store.OpenReadOnly(context.Background(), filepath.Join(data, "store"))
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	err = db.System().View(context.Background(), func(sys store.SystemTx) error {
		tx := sys.For("default")
		ws, err := tx.Workloads(store.Filter{})
		for _, w := range ws {
			p, placed, _ := tx.Placement(w.ID)
			attempts, _ := tx.Attempts(w.ID)
			meters, _ := tx.Meters(w.ID)
			lines, _ := tx.Entries(w.ID, -1, 0)
			fmt.Fprintf(&b, "%s %s wanted %q, changed %s, by %s; placed %v %s %v latest %s\n", w.ID, w.State, w.Wanted, w.Changed, w.Shape.When.CompleteBy, placed, p.Site, p.Spans, p.Latest)
			for _, a := range attempts {
				fmt.Fprintf(&b, "  attempt %+v\n", a)
			}
			fmt.Fprintf(&b, "  %d meters, %d entries\n", len(meters), len(lines))
			for _, m := range meters {
				fmt.Fprintf(&b, "  meter %+v\n", m)
			}
		}
		sites, _ := sys.Sites()
		for _, s := range sites {
			fmt.Fprintf(&b, "site %s seen %s incarnation %s answered %d\n", s.ID, s.Seen, s.Incarnation, s.Answered)
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	journals, _ := filepath.Glob(filepath.Join(data, "agents", "*", "journal"))
	for _, j := range journals {
		lines, err := journal.Read(j)
		fmt.Fprintf(&b, "%s: %d lines, %v\n", j, len(lines), err)
		for _, l := range lines[max(0, len(lines)-6):] {
			fmt.Fprintf(&b, "  %.300s\n", l)
		}
	}
	return b.String()
}

// judge holds what Clusy says against what the programs wrote.
func (a *tally) judge(t *testing.T, seed uint64, r demoResult, truth string) {
	b, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	starts, ends := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 5 {
			t.Fatalf("seed %d: the programs wrote %q", seed, line)
		}
		switch f[0] {
		case "start":
			starts[f[2]]++
		case "end":
			ends[f[2]]++
		}
	}
	a.workloads += len(r.Workloads)
	a.lost += len(demoIntents) - len(r.Workloads)
	if !r.Ledger.OK {
		t.Errorf("seed %d: the ledger does not verify: %s", seed, r.Ledger.Problem)
	}
	for _, w := range r.Workloads {
		says := func(format string, args ...any) {
			t.Errorf("seed %d: workload %s (%s, %q): "+format+"\ntruth:\n%s", append(append([]any{seed, w.ID, w.State, w.Cause}, args...), b)...)
		}
		switch n := starts[w.ID]; {
		case n > 1:
			a.twice++
			says("its program began %d times", n)
		case !terminal(w.State):
			a.lost++
			says("it has not ended")
		case w.State == "succeeded" && (n != 1 || ends[w.ID] != 1):
			a.phantom++
			says("its program began %d and ended %d times", n, ends[w.ID])
		case w.State == "succeeded":
			a.succeeded++
		case w.State == "failed" && strings.Contains(w.Cause, "lost") && a.shims > 0:
			a.honest++
		default:
			says("it should have succeeded; attempts %+v", w.Attempts)
		}
	}
	if len(starts) > len(r.Workloads) {
		t.Errorf("seed %d: %d programs began for %d workloads", seed, len(starts), len(r.Workloads))
	}
}

// killShim kills one of the demo's shims, if there is any: a process whose
// argument is a folder of its tasks.
func killShim(data string, rng *rand.Rand) bool {
	var found []int
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(b, []byte("\x00shim\x00"+data)) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(p, "/")[2]); err == nil {
			found = append(found, pid)
		}
	}
	if len(found) == 0 {
		return false
	}
	p, err := os.FindProcess(found[rng.IntN(len(found))])
	return err == nil && p.Kill() == nil
}
