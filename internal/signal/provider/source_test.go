package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest/fake"
)

// A key with all that a form of quoting changes.
const testKey = `s3cret/k&y="x" ü`

// testSource is a bare source with its key in the header and in the query.
func testSource(t testing.TB, s *fake.Server, limit string) *source {
	t.Helper()
	t.Setenv("CLUSY_TEST_KEY", testKey)
	src, err := newSource(Declaration{Kind: "test", URL: s.URL, Key: "env:CLUSY_TEST_KEY", Limit: limit}, Kind{Sends: "nothing"}, Deps{Dial: fake.Exchange(t, 5*time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	src.keyHeader, src.keyQuery = "X-Key", "token"
	return src
}

func ask(t testing.TB, s *source, now time.Time, topic string) (string, error) {
	t.Helper()
	body := ""
	err := s.get(t.Context(), now, question{topic: topic, path: "data", query: url.Values{"zone": {topic}}}, func(a answer) error {
		body = string(a.body)
		return nil
	})
	return body, err
}

var noon = at("2026-09-14T12:00Z")

// A source that fails is left alone: longer each time, up to half an hour, or
// for as long as it says.
func TestBackoff(t *testing.T) {
	s := fake.New(t, fake.JSON(200, `{"fine":true}`))
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   problem.Kind
		least  time.Duration // before it is asked again
		most   time.Duration
		topic  bool // other topics go on
		want   string
	}{
		"429 with seconds":    {fake.JSON(429, `{"message":"slow down"}`, "Retry-After", "120"), problem.Limited, 2 * time.Minute, 2 * time.Minute, false, "slow down"},
		"429 with a date":     {fake.JSON(429, `{}`, "Retry-After", "Mon, 14 Sep 2026 12:10:00 GMT", "Date", "Mon, 14 Sep 2026 12:00:00 GMT"), problem.Limited, 10 * time.Minute, 10 * time.Minute, false, "429"},
		"429 with nothing":    {fake.JSON(429, `{}`), problem.Limited, 24 * time.Second, 36 * time.Second, false, "set limit"},
		"429 with nonsense":   {fake.JSON(429, `{}`, "Retry-After", "-9"), problem.Limited, 24 * time.Second, 36 * time.Second, false, "429"},
		"429 for a century":   {fake.JSON(429, `{}`, "Retry-After", "99999999999999999"), problem.Limited, 24 * time.Hour, 24 * time.Hour, false, "429"},
		"503 with a century":  {fake.JSON(503, `{}`, "Retry-After", "Mon, 14 Sep 2126 12:10:00 GMT", "Date", "Mon, 14 Sep 2026 12:00:00 GMT"), problem.Unready, 24 * time.Hour, 24 * time.Hour, false, "503"},
		"500":                 {fake.JSON(500, `{"error":{"code":"500","message":"broken"}}`), problem.Unready, 24 * time.Second, 36 * time.Second, false, "broken"},
		"502 HTML":            {fake.Body(502, "text/html", "<html><head><title>Bad\nGateway</title>"), problem.Unready, 24 * time.Second, 36 * time.Second, false, `a page titled "Bad Gateway"`},
		"hung up":             {fake.HangUp, problem.Unready, 24 * time.Second, 36 * time.Second, false, "broke off"},
		"401":                 {fake.JSON(401, `{"error":"who?"}`), problem.Denied, time.Hour, time.Hour, false, "is the key right"},
		"403":                 {fake.JSON(403, `{"detail":[{"msg":"no"}]}`), problem.Denied, time.Hour, time.Hour, false, "may it read this"},
		"404":                 {fake.JSON(404, `{"error":"no such thing"}`), problem.NotFound, 15 * time.Minute, 15 * time.Minute, true, "no such thing"},
		"400":                 {fake.JSON(400, `{"msg":"bad"}`), problem.Invalid, 15 * time.Minute, 15 * time.Minute, true, "bad"},
		"410":                 {fake.JSON(410, `{}`), problem.NotFound, 6 * time.Hour, 6 * time.Hour, false, "retired: set version or url"},
		"redirect":            {fake.Elsewhere("https://elsewhere.example/"), problem.Unready, 24 * time.Second, 36 * time.Second, false, `redirects to "elsewhere.example"`},
		"204":                 {fake.JSON(204, ``), problem.Invalid, 15 * time.Minute, 15 * time.Minute, true, "204"},
		"304 to no question":  {fake.JSON(304, ``), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "304"},
		"HTML":                {fake.Body(200, "text/html; charset=utf-8", "<html><title>Sign in"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, `"text/html", want application/json: a page titled "Sign in"`},
		"charset":             {fake.Body(200, "application/json; charset=iso-8859-1", "{}"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "charset"},
		"UTF-16":              {fake.JSON(200, "\xff\xfe{\x00}\x00"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "UTF-16"},
		"not UTF-8":           {fake.JSON(200, "{\"a\":\"\xe4\"}"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "UTF-8"},
		"empty":               {fake.JSON(200, " \n"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "empty"},
		"type of type unread": {fake.Body(200, "x/y/z;;", "{}"), problem.Invalid, 24 * time.Second, 36 * time.Second, true, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			src := testSource(t, s, "")
			s.Trouble(c.answer)
			_, err := ask(t, src, noon, "a")
			if err == nil || problem.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v (%s), want %s, %q", err, problem.KindOf(err), c.kind, c.want)
			}
			s.Trouble(nil)
			s.Asked()
			if _, err = ask(t, src, noon.Add(c.least-time.Second), "a"); !waits(err) || len(s.Asked()) != 0 {
				t.Errorf("a second early: %v", err)
			}
			_, err = ask(t, src, noon.Add(time.Second), "b")
			if c.topic != (err == nil) {
				t.Errorf("another topic: %v", err)
			}
			if until := src.Budget(noon).NotUntil; c.topic != until.IsZero() {
				t.Errorf("the budget says not until %s", until)
			}
			if body, err := ask(t, src, noon.Add(c.most), "a"); err != nil || body != `{"fine":true}` {
				t.Errorf("after the wait: %q, %v", body, err)
			}
		})
	}
}

func TestBackoffGrows(t *testing.T) {
	s := fake.New(t, fake.JSON(500, `{}`))
	src := testSource(t, s, "")
	now, last := noon, time.Duration(0)
	for n := range 12 {
		_, err := ask(t, src, now, "a")
		if waits(err) {
			t.Fatal(err)
		}
		_, err = ask(t, src, now, "a")
		w, ok := errors.AsType[*signal.Wait](err)
		if !ok {
			t.Fatalf("asked again at once: %v", err)
		}
		wait := w.Until.Sub(now)
		if n < 6 && wait <= last || wait > mostWait*6/5 {
			t.Errorf("after failure %d it waits %s, before %s", n+1, wait, last)
		}
		last, now = wait, w.Until
	}
	if got := len(s.Asked()); got != 12 {
		t.Errorf("it was asked %d times, want 12", got)
	}
	if last < mostWait*4/5 {
		t.Errorf("at the end it waits %s", last)
	}
	// Two sources that failed together do not come back together.
	if backoff("a", 3) == backoff("b", 3) || backoff("a", 3) != backoff("a", 3) {
		t.Error("the jitter is not by name alone")
	}
	// What was held off does not stay so when the clock is set back by years.
	if _, err := ask(t, src, noon.Add(-10000*time.Hour), "a"); waits(err) {
		t.Error(err)
	}
}

// What has not changed is not sent again.
func TestConditional(t *testing.T) {
	text := `{"n":1}`
	s := fake.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fake.JSON(200, text)(w, r) }))
	src := testSource(t, s, "")
	statuses := func() (n int) {
		for _, a := range s.Asked() {
			if a.Header.Get("If-None-Match") != "" {
				n++
			}
		}
		return n
	}
	for range 3 {
		if body, err := ask(t, src, noon, "a"); err != nil || body != text {
			t.Fatalf("got %q, %v", body, err)
		}
	}
	if n := statuses(); n != 2 {
		t.Errorf("%d of 3 questions were conditional, want 2", n)
	}
	text = `{"n":2}`
	if body, err := ask(t, src, noon, "a"); err != nil || body != text {
		t.Errorf("after the change: %q, %v", body, err)
	}
	for i := range 3 * mostKept {
		if _, err := ask(t, src, noon, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(src.keep.entries) != mostKept || len(src.keep.order) != mostKept {
		t.Errorf("%d answers are kept, want %d", len(src.keep.entries), mostKept)
	}
	large := question{path: "large"}
	marked := http.Header{"Etag": {`"1"`}}
	src.keep.put(large, answer{header: marked, body: make([]byte, mostKeptEach)})
	if _, ok := src.keep.find(large); !ok {
		t.Error("an answer is not kept")
	}
	src.keep.put(large, answer{header: marked, body: make([]byte, mostKeptEach+1)})
	if _, ok := src.keep.find(large); ok {
		t.Error("a large answer is kept")
	}
}

func TestRequestBudget(t *testing.T) {
	s := fake.New(t, fake.JSON(200, `{}`))
	src := testSource(t, s, "4/1h")
	for i := range 4 {
		if _, err := ask(t, src, noon.Add(time.Duration(i)*5*time.Minute), "a"); err != nil {
			t.Fatal(err)
		}
		b := src.Budget(noon.Add(time.Duration(i) * 5 * time.Minute))
		if b.Used != i+1 || b.Limit != 4 || b.Window != time.Hour {
			t.Errorf("budget %+v", b)
		}
		// Every five minutes or so: four are used up in a quarter of an hour.
		if i == 2 && (b.Exhausts.Before(noon.Add(11*time.Minute)) || b.Exhausts.After(noon.Add(20*time.Minute))) {
			t.Errorf("exhausts at %s", b.Exhausts)
		}
	}
	s.Asked()
	_, err := ask(t, src, noon.Add(16*time.Minute), "a")
	if w, ok := errors.AsType[*signal.Wait](err); !ok || !w.Until.Equal(noon.Add(time.Hour)) || len(s.Asked()) != 0 {
		t.Errorf("got %v", err)
	}
	if b := src.Budget(noon.Add(16 * time.Minute)); b.Used != 4 || !b.Exhausts.Equal(noon.Add(16*time.Minute)) {
		t.Errorf("budget %+v", b)
	}
	if _, err := ask(t, src, noon.Add(time.Hour), "a"); err != nil {
		t.Errorf("an hour after the first: %v", err)
	}
	// At a pace that the limit allows for ever it is never used up.
	slow := testSource(t, s, "4/1h")
	for i := range 8 {
		now := noon.Add(time.Duration(i) * 20 * time.Minute)
		if _, err := ask(t, slow, now, "a"); err != nil {
			t.Fatal(err)
		}
		if b := slow.Budget(now); i > 0 && !b.Exhausts.IsZero() {
			t.Errorf("after %d: budget %+v", i, b)
		}
	}
	free := testSource(t, s, "")
	for i := range uncounted + 5 {
		free.meter.take(noon.Add(time.Duration(i) * time.Millisecond))
	}
	if n := len(free.meter.sent); n != uncounted {
		t.Errorf("%d requests are remembered", n)
	}
}

// The key is in the header or the query of the request, and in nothing that is
// printed: not in an error, not in a wait, whatever the source says.
func TestKeyStaysIn(t *testing.T) {
	s := fake.New(t, fake.JSON(200, `{}`))
	forms := []string{testKey, url.QueryEscape(testKey), url.PathEscape(testKey), "s3cret", secret.Secret(testKey).Reveal()[2:9]}
	check := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Fatalf("%s: no error", what)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			text := fmt.Sprintf("%v %+v %s", e, e, e.Error())
			for _, f := range forms {
				if strings.Contains(text, f) {
					t.Errorf("%s: the key is in %q", what, text)
				}
			}
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"400": fake.Echo(400), "401": fake.Echo(401), "403": fake.Echo(403), "404": fake.Echo(404), "410": fake.Echo(410),
		"429": fake.Echo(429), "500": fake.Echo(500), "503": fake.Echo(503), "hung up": fake.HangUp, "truncated": fake.Truncated,
		"redirect": fake.Elsewhere("https://x.example/?" + url.Values{"k": {testKey}}.Encode()), "endless": fake.Endless, "bomb": fake.Bomb,
		"HTML": fake.Body(200, "text/html", "<title>"+testKey+"</title>"),
		"type": fake.Body(200, "text/"+url.QueryEscape(testKey), "{}"),
	} {
		src := testSource(t, s, "")
		s.Trouble(h)
		_, err := ask(t, src, noon, "a")
		check(name, err)
		_, err = ask(t, src, noon, "a")
		check(name+", again", err)
	}
	s.Trouble(nil)
	src := testSource(t, s, "")
	s.Asked()
	if _, err := ask(t, src, noon, "a"); err != nil {
		t.Fatal(err)
	}
	got := s.Asked()[0]
	if got.Header.Get("X-Key") != testKey || got.Query.Get("token") != testKey {
		t.Errorf("the key did not arrive: %+v", got)
	}
	for label := range src.keep.entries {
		if strings.Contains(label, "s3cret") {
			t.Error("the key is in what is kept")
		}
	}
	err := src.get(t.Context(), noon, question{topic: "x", path: "data"}, func(a answer) error { return unfitf("it says %s", testKey) })
	check("what the driver says", err)
	impatient, err := newSource(Declaration{Kind: "test", URL: s.URL, Key: "env:CLUSY_TEST_KEY"}, Kind{Sends: "nothing"}, Deps{Dial: fake.Exchange(t, 20*time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	impatient.keyQuery = "token"
	s.Trouble(fake.Slow)
	_, err = ask(t, impatient, noon, "a")
	check("slow", err)
	if !strings.Contains(err.Error(), "took too long") || !problem.Is(err, problem.Unready) {
		t.Errorf("slow: %v", err)
	}
	dead, err := newSource(Declaration{Kind: "test", URL: "http://127.0.0.1:1", Key: "env:CLUSY_TEST_KEY"}, Kind{Sends: "nothing"}, Deps{Dial: fake.Exchange(t, time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	dead.keyQuery = "token"
	_, err = ask(t, dead, noon, "a")
	check("refused", err)
}

// To be stopped is not the source's fault, and does not hold it back.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := fake.New(t, fake.JSON(200, `{}`))
	s.Trouble(func(w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	src := testSource(t, s, "")
	if err := src.get(ctx, noon, question{topic: "a", path: "data"}, func(answer) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Trouble(nil)
	if _, err := ask(t, src, noon, "a"); err != nil {
		t.Error(err)
	}
	// Whoever waits for another's question can be stopped too.
	src.turn <- struct{}{}
	waiting, stop := context.WithCancel(t.Context())
	time.AfterFunc(0, stop)
	if err := src.get(waiting, noon, question{topic: "a"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return "file:" + p
	}
	t.Setenv("CLUSY_TEST_EMPTY", "")
	for name, c := range map[string]struct{ ref, want string }{
		"fine":      {write("fine", "s3cret-key\n", 0o600), ""},
		"read-only": {write("ro", "s3cret-key", 0o400), ""},
		"group":     {write("group", "s3cret-key", 0o640), "mode 0640 and may be read by others; chmod 600"},
		"world":     {write("world", "s3cret-key", 0o604), "may be read by others"},
		"empty":     {write("empty", "\n", 0o600), "is empty"},
		"two lines": {write("two", "s3cret-key\nsecond", 0o600), "more than one line"},
		"large":     {write("large", strings.Repeat("k", mostKey+1), 0o600), "more than 4096 bytes"},
		"binary":    {write("binary", "\xff\xfe\xfd", 0o600), "control character"},
		"directory": {"file:" + dir, "not a regular file"},
		"absent":    {"file:" + filepath.Join(dir, "absent"), "is not there"},
		"no env":    {"env:CLUSY_TEST_NOT_SET", "is not set"},
		"empty env": {"env:CLUSY_TEST_EMPTY", "is empty"},
	} {
		r, err := reference(c.ref)
		if err != nil {
			t.Fatal(err)
		}
		key, err := r.read()
		switch {
		case c.want == "":
			if err != nil || key.Reveal() != "s3cret-key" {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for _, bad := range []string{"s3cret-key", "env:", "file:", "env:A=B", "http:x", "env:A B"} {
		if _, err := reference(bad); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
