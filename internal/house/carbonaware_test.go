package house

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/store"
)

var rewrite = flag.Bool("rewrite", false, "write what the server answers into the reference of the Carbon Aware SDK's API")

// foreignHouse is a house whose clock all but stands still, with signals of two
// zones that no poller looks after.
func foreignHouse(t *testing.T, open bool) *House {
	cfg := berlin()
	cfg.Replay.Rate = 1
	cfg.OpenSignals = open
	h, _ := run(t, cfg)
	at := func(hour, minute int) time.Time { return time.Date(2023, 6, 6, hour, minute, 0, 0, time.UTC) }
	series := func(zone grid.Zone, issued, start time.Time, step time.Duration, grams ...float64) grid.Series {
		s := grid.Series{Provenance: grid.Provenance{Provider: "example/meter", Zone: zone, Issued: issued, Basis: grid.AverageLifecycle, Grade: grid.GradeA}, Start: start, Step: step}
		for _, g := range grams {
			v := grid.Unknown
			if g >= 0 {
				v = grid.Intensity(g * 1000)
			}
			s.Values = append(s.Values, v)
		}
		return s
	}
	then := series("IE", at(11, 50), at(12, 0), 30*time.Minute, 310, 305, 302.5, 299, 296)
	now := series("IE", at(15, 35), at(15, 30), 30*time.Minute, 332, 310.5, 290, 301, 290, 301, 320, 340)
	marginal := now
	marginal.Basis.Signal, marginal.Issued = grid.Marginal, at(15, 50)
	then.Estimated, then.Grade = true, grid.GradeC
	err := h.db.System().Update(t.Context(), func(tx store.SystemTx) error {
		for _, s := range []struct {
			kind   grid.Kind
			series grid.Series
		}{
			{grid.Measured, series("IE", at(16, 0), at(12, 0), time.Hour, 312.5, 298, -1, 305.25)},
			{grid.Measured, series("SE-SE3", at(16, 0), at(12, 0), time.Hour, 21.4, 20.9, 20.9, 22)},
			{grid.Forecast, then}, {grid.Forecast, now}, {grid.Forecast, marginal},
		} {
			if _, _, err := tx.PutSignal(s.kind, s.series, audit.Event{At: at(16, 0), Actor: "system:test", Kind: audit.SignalStored}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var (
	traceID = regexp.MustCompile(`"00-[0-9a-f]{32}-[0-9a-f]{16}-00"`)
	asked   = regexp.MustCompile(`"requestedAt":"2023-06-06T16:0[0-4][^"]*"`)
)

// TestCarbonAwareSDK holds the reference page against a running server: each of
// its blocks is a request and its answer.
func TestCarbonAwareSDK(t *testing.T) {
	const page = "../../docs/reference/carbon-aware-sdk.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	h := foreignHouse(t, false)
	parts := strings.Split(string(text), "```http\n")
	seen := map[string]bool{}
	for i, part := range parts[1:] {
		block, rest, _ := strings.Cut(part, "```")
		question, want, _ := strings.Cut(block, "\n\n")
		first, body, _ := strings.Cut(question, "\n")
		method, path, ok := strings.Cut(first, " ")
		if !ok {
			t.Fatalf("block %d has no request: %q", i, first)
		}
		route, _, _ := strings.Cut(first, "?")
		seen[route] = true
		got := answerOf(t, h, method, path, body)
		if *rewrite {
			parts[i+1] = question + "\n\n" + got + "```" + rest
			continue
		}
		gotHead, gotBody, _ := strings.Cut(got, "\n")
		wantHead, wantBody, _ := strings.Cut(want, "\n")
		var a, b any
		if gotBody != "" {
			if err := json.Unmarshal([]byte(gotBody), &a); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(wantBody), &b); err != nil {
				t.Errorf("%s: the page shows no JSON: %v", first, err)
			}
		}
		if gotHead != wantHead || gotBody == "" && wantBody != "" || !reflect.DeepEqual(a, b) {
			t.Errorf("%s answers\n%s\nand the page says\n%s", first, got, want)
		}
	}
	for _, must := range []string{"GET /emissions/bylocation", "GET /emissions/bylocations", "GET /emissions/bylocations/best", "GET /emissions/forecasts/current",
		"POST /emissions/forecasts/batch", "GET /emissions/average-carbon-intensity", "POST /emissions/average-carbon-intensity/batch", "GET /locations"} {
		if !seen[must] {
			t.Errorf("the page does not show %s", must)
		}
	}
	if *rewrite {
		if err := os.WriteFile(page, []byte(strings.Join(parts, "```http\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// answerOf returns an answer as the page shows it: status and type, and its
// JSON with what differs each time as it was once.
func answerOf(t *testing.T, h *House, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.Token.Reveal())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	head := strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", res.Header.Get("Content-Type")))
	text := asked.ReplaceAllString(traceID.ReplaceAllString(b.String(), `"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"`), `"requestedAt":"2023-06-06T16:00:02+00:00"`)
	if text == "" {
		return head + "\n"
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
		t.Fatalf("%s %s: no JSON: %v %s", method, path, err, text)
	}
	return head + "\n" + out.String() + "\n"
}
