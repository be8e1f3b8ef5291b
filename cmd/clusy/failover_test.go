package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/store/pgtest"
)

// replicas are several real servers on one real PostgreSQL.
type replicas struct {
	t        *testing.T
	bin, dir string
	pg       *pgtest.Server
	database string
	ports    []string
	token    string
	mu       sync.Mutex
	running  map[int]*exec.Cmd
	output   map[int]*bytes.Buffer
}

func newReplicas(t *testing.T, n int) *replicas {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	pg, err := pgtest.Start("max_connections=80", "shared_buffers=64MB")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	f := &replicas{t: t, bin: bin, dir: t.TempDir(), pg: pg, database: pg.Address(pg.Schema(t)).Reveal(), running: map[int]*exec.Cmd{}, output: map[int]*bytes.Buffer{}}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f.ports = append(f.ports, l.Addr().String())
		l.Close()
	}
	t.Cleanup(func() {
		for i := range n {
			f.kill(i)
		}
	})
	f.start(0)
	f.await("the first server prints a token", 60*time.Second, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		m := regexp.MustCompile(`CLUSY_TOKEN=(\S+)`).FindSubmatch(f.output[0].Bytes())
		if m != nil {
			f.token = string(m[1])
		}
		return m != nil
	})
	for i := 1; i < n; i++ {
		f.start(i)
	}
	return f
}

// locked is a buffer that may be read while a process writes to it.
type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (f *replicas) start(i int) {
	cmd := exec.Command(f.bin, "serve", "--listen", f.ports[i], "--data", filepath.Join(f.dir, strconv.Itoa(i)), "--keys", filepath.Join(f.dir, "keys"),
		"--database", "env:CLUSY_DATABASE", "--site", fmt.Sprintf("site%d=DE-LU", i))
	cmd.Env = append(os.Environ(), "CLUSY_DATABASE="+f.database)
	f.mu.Lock()
	f.output[i] = &bytes.Buffer{}
	out := locked{&f.mu, f.output[i]}
	f.mu.Unlock()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	f.running[i] = cmd
	f.mu.Unlock()
}

// kill ends a server with SIGKILL. Its shims live on: they are the work.
func (f *replicas) kill(i int) {
	f.mu.Lock()
	cmd := f.running[i]
	delete(f.running, i)
	f.mu.Unlock()
	if cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func (f *replicas) await(what string, within time.Duration, ok func() bool) {
	f.t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > within {
			f.mu.Lock()
			defer f.mu.Unlock()
			for i, b := range f.output {
				f.t.Logf("server %d:\n%s", i, b)
			}
			f.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// leader returns which server leads, -1 if none that runs, and the lease's epoch.
func (f *replicas) leader() (who int, epoch int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, f.database)
	if err != nil {
		return -1, 0
	}
	defer c.Close(ctx)
	var holder string
	if err := c.QueryRow(ctx, "SELECT holder, epoch FROM lease WHERE name = 'control'").Scan(&holder, &epoch); err != nil {
		return -1, 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, cmd := range f.running {
		if strings.Contains(holder, fmt.Sprintf("/%d/", cmd.Process.Pid)) {
			return i, epoch
		}
	}
	return -1, epoch
}

// clusy runs the command against one of the servers.
func (f *replicas) clusy(server int, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.bin, args...)
	cmd.Env = append(os.Environ(), "CLUSY_URL=http://"+f.ports[server], "CLUSY_TOKEN="+f.token, "CLUSY_DATABASE="+f.database)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, errs.String())
	}
	return out, err
}

// TestFailover kills three servers of one database with SIGKILL, the one that
// leads among them, while intents are submitted to all of them and run at the
// sites of all of them. The programs themselves write down when they begin.
//
//	every intent that was answered is there, once, and ends
//	no program begins twice, and what succeeded has run
//	another server leads within the lease and a second
//
// CLUSY_FAILOVERS says how many servers are killed (default 6).
func TestFailover(t *testing.T) {
	kills := 6
	if s := os.Getenv("CLUSY_FAILOVERS"); s != "" {
		kills, _ = strconv.Atoi(s)
	}
	f := newReplicas(t, 3)
	f.await("all sites are known", 2*time.Minute, func() bool {
		out, err := f.clusy(0, "sites", "--json")
		return err == nil && strings.Count(string(out), `"site`) >= 3 && strings.Contains(string(out), "site2")
	})
	truth := filepath.Join(f.dir, "truth")
	if err := os.WriteFile(truth, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var mu sync.Mutex
	ids := map[string]string{} // by key
	retried := 0
	var clients sync.WaitGroup
	for c := range 2 {
		clients.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("k%d-%d", c, k)
				for try := 0; ; try++ {
					out, err := f.clusy((c+k+try)%3, "run", "--detach", "--json", "--key", key, "--by", "+3h", "--for", "20s", "--cpus", "0.05", "--min-saving", "100%", "--",
						"sh", "-c", "echo start $CLUSY_WORKLOAD >>"+truth+"; sleep 0.3; echo end $CLUSY_WORKLOAD >>"+truth)
					var w clusy.Workload
					if err == nil {
						err = json.Unmarshal(out, &w)
					}
					// The answer was lost, and the intent is there: the refusal of
					// its key names it.
					if err != nil {
						if m := regexp.MustCompile(`the key belongs to workload (wl_\S+)`).FindStringSubmatch(err.Error()); m != nil {
							w.ID, err = m[1], nil
						}
					}
					mu.Lock()
					if err == nil {
						ids[key] = w.ID
						mu.Unlock()
						break
					}
					retried++
					mu.Unlock()
					if try > 200 {
						t.Errorf("%s was never answered: %v", key, err)
						return
					}
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var takeovers []time.Duration
	for k := range kills {
		f.await("one leads", time.Minute, func() bool { who, _ := f.leader(); return who >= 0 })
		time.Sleep(time.Duration(500+rng.IntN(1500)) * time.Millisecond)
		who, epoch := f.leader()
		if k%3 == 2 || who < 0 {
			who = rng.IntN(3) // any of them
		}
		led, _ := f.leader()
		f.kill(who)
		began := time.Now()
		if led == who {
			f.await("another one leads", time.Minute, func() bool { _, now := f.leader(); return now > epoch })
			takeovers = append(takeovers, time.Since(began))
		}
		time.Sleep(300 * time.Millisecond)
		f.start(who)
	}
	close(stop)
	clients.Wait()

	states := map[string]clusy.Workload{}
	f.await("everything ends", 4*time.Minute, func() bool {
		out, err := f.clusy(rng.IntN(3), "list", "--all", "--json")
		if err != nil {
			return false
		}
		open := 0
		clear(states)
		var all []clusy.Workload
		if err := json.Unmarshal(out, &all); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		for _, w := range all {
			states[w.ID] = w
			if !terminal(w.State) {
				open++
			}
		}
		return open == 0 && len(states) >= len(ids)
	})
	b, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	starts, ends := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(b)) {
		switch did := strings.Fields(line); did[0] {
		case "start":
			starts[did[1]]++
		case "end":
			ends[did[1]]++
		}
	}
	if len(states) != len(ids) {
		t.Errorf("%d intents were answered, and there are %d workloads", len(ids), len(states))
	}
	seen := map[string]bool{}
	for key, id := range ids {
		w, ok := states[id]
		switch {
		case !ok:
			t.Errorf("%s was answered with %s, which is lost", key, id)
		case seen[id]:
			t.Errorf("%s is of two intents", id)
		case starts[id] != 1 || ends[id] != 1 || w.State != "succeeded":
			t.Errorf("%s (%s): its program began %d and ended %d times", id, w.State, starts[id], ends[id])
		}
		seen[id] = true
	}
	if out, err := f.clusy(0, "ledger", "verify", "--database", "env:CLUSY_DATABASE", "--keys", filepath.Join(f.dir, "keys")); err != nil {
		t.Errorf("the log does not verify: %v\n%s", err, out)
	}
	slices.Sort(takeovers)
	t.Logf("%d intents, %d requests sent again, %d servers killed, takeovers %v", len(ids), retried, kills, takeovers)
	if len(takeovers) == 0 {
		t.Error("no leader was killed: the test has not tested")
	}
}
