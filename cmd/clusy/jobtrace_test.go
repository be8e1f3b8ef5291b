package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func readTrace(t testing.TB, body string) (*jobTrace, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return readJobTrace(name, "auto", time.UTC)
}

func TestSlurmSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:00:05": 5 * time.Second, "12:34": 12*time.Minute + 34*time.Second, "1-02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second,
		"120:00:00": 120 * time.Hour, "00:01.500": time.Second,
	} {
		if got, ok := slurmSpan(text); !ok || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "5", "1-", "1:60:00", "00:60", "1-25:00:00", "-1:00", "99999:00:00", "UNLIMITED", "1:2:3:4"} {
		if d, ok := slurmSpan(text); ok {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestKubeAmounts(t *testing.T) {
	for text, want := range map[string]float64{"500m": 0.5, "2": 2, "1.5": 1.5, ".5": 0.5, "250000u": 0.25, "2k": 2000} {
		if got, ok := kubeAmount(text); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "1e9", "NaN", "1Gi", "9999999999999", "1 "} {
		if v, ok := kubeAmount(text); ok {
			t.Errorf("%q is taken for %v", text, v)
		}
	}
}

// What is measured by the job counts before any table; times are of the zone
// that was said.
func TestSlurmReads(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sacct")
	body := "JobIDRaw|Submit|ElapsedRaw|ReqTRES|ConsumedEnergyRaw|\n7|2026-07-01T12:00:00|3600|cpu=8,gres/gpu=2|3600000|\n8|2026-07-01T12:00:00|60|cpu=8|18446744073709551614|\n"
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine knows no time zones")
	}
	tr, err := readJobTrace(name, "auto", berlin)
	if err != nil {
		t.Fatal(err)
	}
	j := tr.jobs[0]
	if !j.arrive.Equal(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)) || j.length != time.Hour || j.cpus != 8 || j.gpus != 2 || j.watts != 1000 {
		t.Errorf("read %+v", j)
	}
	if !math.IsNaN(tr.jobs[1].watts) {
		t.Errorf("what Slurm writes for unmeasured energy is taken for %v W", tr.jobs[1].watts)
	}
}

// Each error names the place and what is wanted.
func TestTraceErrors(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"empty":         {"", "the file is empty"},
		"no job":        {"arrival_h,length_h,cpus\n1,0,1\n", "no job that can be replayed\nleft out: 1: ran no time (first: line 2)"},
		"twice":         {"cpus,cpus\n", `line 1: column "cpus" is there twice`},
		"nan":           {"arrival_h,length_h,cpus\nNaN,1,1\n", "line 2, arrival_h: \"NaN\" is not hours from the beginning"},
		"inf":           {"arrival_h,length_h,cpus\n1,1,Inf\n", "line 2, cpus: \"Inf\" is not"},
		"long row":      {"arrival_h,length_h,cpus\n1,1,1,1\n", "line 2"},
		"two windows":   {"arrival_h,length_h,cpus,slack_h,complete_by\n1,1,1,1,1\n", "line 2: complete_by and slack_h are both given"},
		"too short":     {"arrival_h,length_h,cpus,complete_by\n1,3,1,2\n", "must be complete 1 h later, and ran for 3 h"},
		"maybe":         {"arrival_h,length_h,cpus,interruptible\n1,3,1,maybe\n", "is not yes or no"},
		"year":          {"arrival,length_h,cpus\n9999-01-01,3,1\n", "line 2, arrival"},
		"controls":      {"arrival_h,length_h,cpus\n\x1b[2J,3,1\n", `"·[2J"`},
		"no columns":    {"JobID|State\n1|COMPLETED\n", "there is no column submit; make the file with\n  sacct -P"},
		"nul":           {"JobID|Submit|Elapsed|NCPUS\n\x00|a|b|c\n", "line 2 has a NUL"},
		"end first":     {"JobID|Submit|Start|End|NCPUS\n1|2026-10-05T08:00:00|2026-10-05T09:00:00|2026-10-05T08:30:00|1\n", "line 2, End: \"2026-10-05T08:30:00\" is not a time after Start"},
		"many cards":    {"JobID|Submit|Elapsed|ReqTRES\n1|2026-10-05T08:00:00|01:00:00|cpu=1,gres/gpu=999999999\n", "want up to 1048576 cpus and 65536 cards"},
		"syntax":        {"{\n\"kind\": ]}", "line 2: invalid character"},
		"number":        {`{"kind":"List","items":[7]}`, "items[0]: json: cannot unmarshal number"},
		"backwards":     {`{"kind":"Job","metadata":{"name":"x","creationTimestamp":"2026-01-01T00:00:00Z"},"status":{"startTime":"2026-01-01T02:00:00Z","completionTime":"2026-01-01T01:00:00Z"}}`, "items[0] (x): status.completionTime 2026-01-01T01:00:00Z is before status.startTime"},
		"amount":        {`{"kind":"Job","metadata":{"name":"x","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"template":{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"lots"}}}]}}},"status":{"startTime":"2026-01-01T02:00:00Z","completionTime":"2026-01-01T03:00:00Z"}}`, `container c requests cpu "lots": want an amount as 500m or 2`},
		"never created": {`{"kind":"Job","status":{"startTime":"2026-01-01T02:00:00Z","completionTime":"2026-01-01T03:00:00Z"}}`, "creationTimestamp is missing"},
		"wide":          {`{"kind":"Job","metadata":{"name":"x","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"parallelism":-1},"status":{"startTime":"2026-01-01T02:00:00Z","completionTime":"2026-01-01T03:00:00Z"}}`, "spec.parallelism -1"},
	} {
		if _, err := readTrace(t, c.body); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// FuzzJobTrace: whatever the file is, it is read or refused, and what is read is
// within its limits.
func FuzzJobTrace(f *testing.F) {
	for _, seed := range []string{
		"arrival_h,length_h,cpus\n0.5,2,8\n", "id,arrival,length_h,cpus,watts,zone\nx,2026-01-01T00:00Z,1,1,5,DE\n",
		"JobID|Submit|Elapsed|NCPUS|State\n1|2026-10-05T08:00:00|1-00:00:00|4|COMPLETED\n",
		`{"kind":"List","items":[{"kind":"Job","metadata":{"creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}]}}},"status":{"startTime":"2026-01-01T02:00:00Z","completionTime":"2026-01-01T03:00:00Z"}}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		tr, err := readTrace(t, body)
		if err != nil {
			return
		}
		for _, j := range tr.jobs {
			if j.length <= 0 || j.length > longestJob || !(j.cpus >= 0 && j.cpus <= mostJobCPUs) || !(j.gpus >= 0) || j.watts < 0 || j.window != 0 && j.window < j.length {
				t.Errorf("read %+v", j)
			}
		}
	})
}
