package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a job trace: past them a file is a mistake.
const (
	mostTraceBytes = 256 << 20
	mostTraceJobs  = 1_000_000
	mostJobCPUs    = 1 << 20
	mostJobGPUs    = 1 << 16
	mostJobWatts   = 1e8
	longestJob     = 366 * 24 * time.Hour
)

// pastJob is a job as a trace tells of it.
type pastJob struct {
	id     string
	arrive time.Time // of a trace without dates: counted from dateless
	length time.Duration
	cpus   float64
	gpus   float64
	watts  float64       // mean draw; NaN: not told
	window time.Duration // from arrival until it must be complete; 0: not told
	pauses *bool         // nil: not told
	zone   string        // "" if it is not told
	class  string        // what such jobs have in common: never shown; "" if it is not told
	said   time.Duration // how long its owner said that it would take; 0: not told
}

// dateless is when a trace without dates begins, until it is moved.
var dateless = time.Unix(0, 0).UTC()

// jobTrace is what was read, and what was not.
type jobTrace struct {
	format string // csv, slurm, kubernetes
	dated  bool   // false: arrivals are hours without a date
	jobs   []pastJob
	left   leftOut
	notes  []string
}

// leftOut counts what is not replayed, by the reason.
type leftOut []leftReason

type leftReason struct {
	Why   string `json:"why"`
	Count int    `json:"count"`
	First string `json:"first"` // the first of them, by name or line
}

func (l *leftOut) add(why, which string) {
	for i := range *l {
		if (*l)[i].Why == why {
			(*l)[i].Count++
			return
		}
	}
	*l = append(*l, leftReason{why, 1, clean(which)})
}

// clean makes text of a file fit to be shown: short, and without controls.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "·"))
	if r := []rune(s); len(r) > 64 {
		s = string(r[:63]) + "…"
	}
	return s
}

// traceFormats are what a trace may be written in.
var traceFormats = []string{"auto", "csv", "slurm", "kubernetes"}

// readJobTrace reads a file of jobs. Format auto looks at how it begins. Times
// without a zone are of loc.
func readJobTrace(name, format string, loc *time.Location) (*jobTrace, error) {
	var in io.Reader = os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if st, err := file.Stat(); err != nil || st.IsDir() {
			return nil, errors.Join(err, fmt.Errorf("%s is no file", name))
		}
		in = file
	}
	body, err := io.ReadAll(io.LimitReader(in, mostTraceBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > mostTraceBytes {
		return nil, fmt.Errorf("more than %d MiB: cut it, for instance to a month", mostTraceBytes>>20)
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if format == "auto" {
		format = guessFormat(body)
	}
	t := &jobTrace{format: format}
	switch format {
	case "csv":
		err = t.readCSV(body)
	case "slurm":
		err = t.readSlurm(body, loc)
	case "kubernetes":
		err = t.readKubernetes(body)
	}
	if err != nil {
		return nil, err
	}
	if len(t.jobs) == 0 {
		return nil, errors.Join(errors.New("it has no job that can be replayed"), t.left.err())
	}
	slices.SortStableFunc(t.jobs, func(a, b pastJob) int { return a.arrive.Compare(b.arrive) })
	return t, nil
}

// err tells what was left out, nil if nothing was.
func (l leftOut) err() error {
	if len(l) == 0 {
		return nil
	}
	var parts []string
	for _, r := range l {
		parts = append(parts, fmt.Sprintf("%d: %s (first: %s)", r.Count, r.Why, r.First))
	}
	return errors.New("left out: " + strings.Join(parts, "; "))
}

func guessFormat(body []byte) string {
	head := bytes.TrimSpace(body[:min(len(body), 4096)])
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case len(head) > 0 && head[0] == '{':
		return "kubernetes"
	case bytes.ContainsRune(line, '|'):
		return "slurm"
	}
	return "csv"
}

// keep takes a job in, or leaves it out with a reason.
func (t *jobTrace) keep(j pastJob) error {
	switch {
	case j.length <= 0:
		t.left.add("ran no time", j.id)
	case j.length > longestJob:
		t.left.add(fmt.Sprintf("ran longer than %d days", int(longestJob.Hours()/24)), j.id)
	case j.cpus == 0 && j.gpus == 0 && math.IsNaN(j.watts):
		t.left.add("has no cpus: its power is unknown", j.id)
	case len(t.jobs) == mostTraceJobs:
		return fmt.Errorf("more than %d jobs: cut the file, or replay a part of it", mostTraceJobs)
	default:
		t.jobs = append(t.jobs, j)
	}
	return nil
}

// cells reads the rows of a table with a header. It knows where it is, for errors.
type cells struct {
	column map[string]int
	row    []string
	line   int
}

// header finds the columns by name, in any case.
func header(row []string) (map[string]int, error) {
	column := map[string]int{}
	for i, name := range row {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		if _, twice := column[name]; twice {
			return nil, fmt.Errorf("line 1: column %q is there twice", clean(name))
		}
		column[name] = i
	}
	return column, nil
}

func (c *cells) has(name string) bool { _, ok := c.column[name]; return ok }

// text returns a cell; "" if there is none.
func (c *cells) text(name string) string {
	if i, ok := c.column[strings.ToLower(name)]; ok && i < len(c.row) {
		return strings.TrimSpace(c.row[i])
	}
	return ""
}

// fault is an error of one cell.
func (c *cells) fault(name, want string) error {
	return fmt.Errorf("line %d, %s: %q is not %s", c.line, name, clean(c.text(name)), want)
}

// number returns a number of 0 to most.
func (c *cells) number(name string, most float64, what string) (float64, error) {
	v, err := strconv.ParseFloat(c.text(name), 64)
	if err != nil || !(v >= 0 && v <= most) {
		return 0, c.fault(name, fmt.Sprintf("%s, want 0 to %.4g", what, most))
	}
	return v, nil
}

// lines yields the lines of a body with their numbers.
func lines(body []byte, f func(line int, text string) error) error {
	s := bufio.NewScanner(bytes.NewReader(body))
	s.Buffer(nil, 1<<20)
	n := 0
	for s.Scan() {
		n++
		if err := f(n, strings.TrimRight(s.Text(), "\r")); err != nil {
			return err
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than 1 MiB", n+1)
	}
	return s.Err()
}

// byCount orders reasons, the most frequent first.
func (l leftOut) byCount() leftOut {
	l = slices.Clone(l)
	slices.SortStableFunc(l, func(a, b leftReason) int { return cmp.Compare(b.Count, a.Count) })
	return l
}
