package house

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
)

func getJSON[T any](t *testing.T, h *House, path string) (v T) {
	t.Helper()
	code, b := get(t, h, "GET", path, h.Token, "")
	if err := json.Unmarshal(b, &v); code != 200 || err != nil {
		t.Fatalf("GET %s: %d %v %.300s", path, code, err, b)
	}
	return v
}

// TestTimeline: what a console draws agrees with the workload, its meters and
// the ledger that it is drawn from.
func TestTimeline(t *testing.T) {
	cfg := berlin()
	cfg.Replay.Rate = 7200
	h, _ := run(t, cfg)
	done, err := submit(t, h, "a", strings.Replace(sixLines, "true", "sleep 0.4", 1))
	if err != nil {
		t.Fatal(err)
	}
	var w clusy.Workload
	eventually(t, 60*time.Second, "it has run and is booked", func() bool {
		w, err = client(h, h.Token).Workload(t.Context(), done.ID)
		return err == nil && w.Account != nil && w.Account.Complete
	})
	waits, err := submit(t, h, "b", sixLines)
	if err != nil {
		t.Fatal(err)
	}

	all := getJSON[clusy.Page[clusy.Bar]](t, h, "/v1/timeline")
	if len(all.Items) != 2 || all.Items[0].ID != waits.ID || all.AsOf == nil || *all.AsOf < 10 {
		t.Fatalf("the timeline is %+v", all)
	}
	b := all.Items[1]
	var ran time.Duration
	for i, s := range b.Ran {
		ran += s.End.Sub(s.Start)
		if i > 0 && s.Start.Before(b.Ran[i-1].End) {
			t.Errorf("its runs overlap: %v", b.Ran)
		}
	}
	if b.State != w.State || b.Site != "berlin" || b.Zone != "DE-LU" || !b.CompleteBy.Equal(w.Shape.When.CompleteBy) || b.Running || !b.Booked || b.Attempts != 1 ||
		len(b.Spans) == 0 || b.Why == "" || b.ExpectedGrams == nil || b.RunNow == nil {
		t.Errorf("the bar is %+v of %+v", b, w)
	}
	if math.Abs(ran.Seconds()-w.Attempts[0].Active) > 1 {
		t.Errorf("it ran for %s by its meters, %g s by its attempt", ran, w.Attempts[0].Active)
	}
	if b.Emitted == nil || *b.Emitted != w.Account.Emitted || *b.Saved != w.Account.Saved || *b.Avoided != w.Account.Avoided {
		t.Errorf("the bar has %v g emitted, the account %v", b.Emitted, w.Account.Emitted)
	}
	if open := all.Items[0]; open.Emitted != nil || open.Saved != nil || open.Booked || len(open.Ran) > 0 && !open.Running {
		t.Errorf("what has not run has %+v", open)
	}

	one := getJSON[clusy.Page[clusy.Bar]](t, h, "/v1/timeline?limit=1")
	two := getJSON[clusy.Page[clusy.Bar]](t, h, "/v1/timeline?limit=1&cursor="+one.Next)
	if len(one.Items) != 1 || one.Items[0].ID != waits.ID || one.Next == "" || len(two.Items) != 1 || two.Items[0].ID != done.ID || two.Next != "" {
		t.Errorf("page by page it is %+v and %+v", one, two)
	}
	for query, want := range map[string]string{
		"state=" + w.State: done.ID, "id=" + done.ID + ",wl_none": done.ID, "from=" + w.Changed.Add(time.Second).Format(time.RFC3339Nano): waits.ID,
		"to=" + waits.Created.Format(time.RFC3339Nano): done.ID,
	} {
		if got := getJSON[clusy.Page[clusy.Bar]](t, h, "/v1/timeline?"+query).Items; len(got) != 1 || got[0].ID != want {
			t.Errorf("with %s it is %+v, want %s alone", query, got, want)
		}
	}

	counts := getJSON[clusy.Counts](t, h, "/v1/counts")
	if counts.Total != 2 || counts.States["succeeded"] != 1 || counts.Late != 0 {
		t.Errorf("the counts are %+v", counts)
	}
	entries := getJSON[clusy.Page[clusy.LedgerEntry]](t, h, "/v1/ledger/entries")
	s := getJSON[clusy.Savings](t, h, "/v1/savings")
	var emitted, avoided float64
	for _, e := range entries.Items {
		emitted, avoided = emitted+e.Emitted, avoided+e.Avoided
	}
	if s.Entries != len(entries.Items) || math.Abs(s.Emitted-emitted) > 1e-6 || math.Abs(s.Avoided-avoided) > 1e-6 || math.Abs(s.Saved+s.Unclaimed-(avoided-emitted)) > 1e-6 ||
		len(s.ByDay) == 0 || len(s.ByZone) != 1 || s.ByZone[0].Key != "DE-LU" || s.AsOf != entries.Items[len(entries.Items)-1].Index {
		t.Errorf("the savings are %+v of %d entries with %g g emitted, %g g avoided", s, len(entries.Items), emitted, avoided)
	}
	if none := getJSON[clusy.Savings](t, h, "/v1/savings?to=2001-01-01T00:00:00Z"); none.Entries != 0 || none.Emitted != 0 || len(none.ByDay) != 0 {
		t.Errorf("before there was anything: %+v", none)
	}
	outlooks := getJSON[clusy.Page[clusy.Outlook]](t, h, "/v1/outlooks")
	if len(outlooks.Items) != 1 || outlooks.Items[0].Zone != "DE-LU" || len(outlooks.Items[0].Points) < 24 {
		t.Errorf("the outlooks are %+v", outlooks)
	}
}
