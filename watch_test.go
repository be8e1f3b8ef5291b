package clusy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// stream answers each request with the next text, as a stream that breaks off
// behind it.
func stream(t *testing.T, kind string, texts ...string) (*Client, *[]string) {
	t.Helper()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		w.Header().Set("Content-Type", kind)
		n := min(len(asked), len(texts)) - 1
		_, _ = w.Write([]byte(texts[n]))
	}))
	t.Cleanup(s.Close)
	return &Client{URL: s.URL}, &asked
}

var enough = errors.New("enough")

// A watcher goes on behind what it has seen: half a message is none, what comes
// again is not told again, and what it does not know is passed over.
func TestWatchReadsStreams(t *testing.T) {
	message := func(id int, kind string) string {
		return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"index\":%d}\n\n", id, kind, id)
	}
	c, asked := stream(t, "text/event-stream",
		": hello\n\n"+message(3, "event")+message(5, "entry")+"id: 6\nevent: event\ndata: {\"ind",
		message(5, "entry")+message(6, "event")+message(7, "of the future")+message(8, "event"))
	var got []int64
	err := c.Watch(t.Context(), "wl_1", 2, func(ch Change) error {
		got = append(got, ch.Index)
		if (ch.Event == nil) == (ch.Entry == nil) || ch.Event != nil && ch.Event.Index != ch.Index || ch.Entry != nil && ch.Entry.Index != ch.Index {
			t.Errorf("change %+v", ch)
		}
		if ch.Index == 8 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Equal(got, []int64{3, 5, 6, 8}) {
		t.Errorf("it saw %v, and then %v", got, err)
	}
	if len(*asked) != 2 || !strings.Contains((*asked)[0], "after=2") || !strings.Contains((*asked)[1], "after=5") || !strings.Contains((*asked)[1], "workload=wl_1") {
		t.Errorf("it asked %q", *asked)
	}
}

// What can never become a stream is said at once, and not tried for ever.
// Wherever a connection breaks, in the middle of a name, a number or a line
// end, what came is told once and the rest after it.
func TestWatchBrokenAnywhere(t *testing.T) {
	whole := "id: 17\nevent: event\ndata: {\"index\":17}\n\nid: 18\r\nevent: event\r\ndata: {\"index\":18}\r\n\r\n"
	for cut := range len(whole) {
		after, got := int64(16), []int64(nil)
		for _, text := range []string{whole[:cut], whole} {
			err := readStream(strings.NewReader(text), func() {}, &after, func(c Change) error {
				got = append(got, c.Index)
				return nil
			})
			if err != nil {
				t.Errorf("cut after %q: %v", whole[:cut], err)
			}
		}
		if !slices.Equal(got, []int64{17, 18}) {
			t.Errorf("cut after %q: saw %v", whole[:cut], got)
		}
	}
}

func TestWatchGivesUp(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	page, _ := stream(t, "text/html", "<h1>Hello</h1>")
	nonsense, _ := stream(t, "text/event-stream", "id: x\n\n")
	broken, _ := stream(t, "text/event-stream", "id: 1\nevent: event\ndata: {\n\n")
	long, _ := stream(t, "text/event-stream", "data: "+strings.Repeat("x", maxLine)+"\n\n")
	refused, _ := stream(t, "application/problem+json", "")
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for what, c := range map[string]*Client{
		"a page": page, "an id that is none": nonsense, "a message that is none": broken, "a line without an end": long, "another kind": refused,
		"a refusal": {URL: refusing.URL}, "nobody": {URL: gone.URL}, "no address": {URL: "::"},
	} {
		if err := c.Watch(ctx, "", -1, func(Change) error { return nil }); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A submission that could not be settled is sent again, the very same.
func TestSubmitAgain(t *testing.T) {
	var keys, bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(b))
		w.Header().Set("Content-Type", "application/json")
		if len(keys) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(`{"id":"wl_1"}`))
	}))
	defer s.Close()
	w, err := (&Client{URL: s.URL}).Submit(t.Context(), "k", Submission{Enclave: "ek"})
	if err != nil || w.ID != "wl_1" || len(keys) != 3 || keys[0] != "k" || keys[2] != "k" || bodies[0] != bodies[2] {
		t.Errorf("%+v, %v after %q with %q", w, err, keys, bodies)
	}
}
