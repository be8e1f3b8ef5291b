package house

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/store"
)

// cutter passes bytes on to a server and cuts each connection after a few
// thousand of them, in the middle of whatever is being said.
func cutter(t *testing.T, to string) (url string, cuts *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	cuts = new(atomic.Int64)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				if n, _ := io.CopyN(in, out, 500+rand.Int64N(6000)); n > 0 {
					cuts.Add(1)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), cuts
}

var errSeen = errors.New("seen enough")

// TestWatchResumes: over connections that keep breaking, a watcher sees each
// entry of its tenant's log once, in order, and none of another's.
func TestWatchResumes(t *testing.T) {
	cfg := berlin()
	cfg.Replay.Rate, cfg.Sites[0].Slots = 1, 0
	h, _ := run(t, cfg)
	url, cuts := cutter(t, h.listener.Addr().String())
	start, err := client(h, h.Token).Workloads(t.Context(), nil, "", 1)
	if err != nil || start.AsOf == nil {
		t.Fatalf("the list says %+v, %v", start, err)
	}

	const jobs = 40
	var busy sync.WaitGroup
	busy.Go(func() {
		for i := range jobs {
			if _, err := submit(t, h, fmt.Sprint(i), sixLines); err != nil {
				t.Error(err)
			}
			// Another tenant is busy, too: with what must not be seen.
			err := h.db.For("other").Update(context.Background(), func(tx store.TenantTx) error {
				_, err := tx.Append(audit.Event{At: time.Now(), Actor: "system:test", Kind: audit.SignalRefused, Object: "zone:other"})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	busy.Wait()

	// All that there is to see, from the store itself.
	var want []int64
	last := int64(0)
	err = h.db.For(tenant).View(t.Context(), func(tx store.TenantTx) error {
		es, err := tx.Events(store.EventFilter{After: *start.AsOf, Limit: 1000})
		for _, e := range es {
			if slices.Contains([]string{"workload", "attempt"}, objectOf(e.Event.Object)) {
				want = append(want, e.Index)
				last = e.Index
			}
		}
		return err
	})
	if err != nil || len(want) < 2*jobs {
		t.Fatalf("%d events, %v", len(want), err)
	}
	var got []int64
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	watcher := &clusy.Client{URL: url, Token: h.Token.Reveal(), HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	err = watcher.Watch(ctx, "", *start.AsOf, func(c clusy.Change) error {
		got = append(got, c.Index)
		if c.Index >= last {
			return errSeen
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		t.Fatalf("the watch ended with %v after %d of %d", err, len(got), len(want))
	}
	if n := len(want); len(got) < n || !slices.Equal(got[:n], want) {
		t.Errorf("the watcher saw %v, want %v", got, want)
	}
	if cuts.Load() < 3 {
		t.Errorf("only %d connections were cut: nothing was tried", cuts.Load())
	}
}

func objectOf(object string) string {
	for i, c := range object {
		if c == ':' {
			return object[:i]
		}
	}
	return object
}

// TestWatchIsLive: what happens is told as it happens, also of one workload
// alone, and ledger entries too.
func TestWatchIsLive(t *testing.T) {
	h, _ := run(t, berlin())
	w, err := submit(t, h, "live", sixLines)
	if err != nil {
		t.Fatal(err)
	}
	other, err := submit(t, h, "other", sixLines)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	states := map[string]bool{}
	err = client(h, h.Token).Watch(ctx, w.ID, -1, func(c clusy.Change) error {
		switch {
		case c.Event != nil:
			if c.Event.Object != "workload:"+w.ID && c.Event.Object != "attempt:"+w.ID+"/1" {
				t.Errorf("the watch of %s tells of %s (the other is %s)", w.ID, c.Event.Object, other.ID)
			}
			states[c.Event.To] = true
		case c.Entry != nil:
			if c.Entry.Workload != w.ID {
				t.Errorf("the watch of %s tells of an entry of %s", w.ID, c.Entry.Workload)
			}
			return errSeen
		}
		return nil
	})
	if !errors.Is(err, errSeen) || !states["planned"] || !states["starting"] || !states["succeeded"] {
		t.Errorf("saw %v, and then %v", states, err)
	}
}

// TestWatchEnds: a stream ends with the right to it, and with the server.
func TestWatchEnds(t *testing.T) {
	cfg := berlin()
	cfg.Replay.Rate = 1
	h, stop := run(t, cfg)
	open := func(cookie string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.URL+"/v1/events?watch=true", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("a stream: %v %v", res, err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	ended := func(res *http.Response) chan struct{} {
		done := make(chan struct{})
		go func() { _, _ = io.Copy(io.Discard, res.Body); close(done) }()
		return done
	}
	link := func() string {
		t.Helper()
		url, err := h.SignIn(access.Operator)
		if err != nil {
			t.Fatal(err)
		}
		res, _ := signIn(t, h, url.Reveal()[len(h.URL+"/sign-in#"):])
		return res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	}

	cookie := link()
	done := ended(open(cookie))
	select {
	case <-done:
		t.Fatal("the stream ended by itself")
	case <-time.After(200 * time.Millisecond):
	}
	if code, _ := get(t, h, "DELETE", "/v1/session", "", "", "Cookie", cookie); code != http.StatusNoContent {
		t.Fatalf("signing out: %d", code)
	}
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on after signing out")
	}

	done = ended(open(link()))
	began := time.Now()
	stop()
	<-done
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("the server took %s to stop with a stream open", took)
	}
}
