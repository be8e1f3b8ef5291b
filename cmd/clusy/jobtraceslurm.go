package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sacctHint is how the file is made.
const sacctHint = "sacct -P -a -S 2026-10-01 -E 2026-11-01 --format=JobID,Submit,Start,End,Elapsed,AllocCPUS,AllocTRES,State,Partition,User,JobName,Timelimit > jobs.txt"

// readSlurm reads what sacct -P prints: columns between bars, by the names of its
// header. Steps (123.batch) are parts of a job that is there itself.
func (t *jobTrace) readSlurm(body []byte, loc *time.Location) error {
	t.dated = true
	c := &cells{}
	err := lines(body, func(n int, text string) (err error) {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		if strings.IndexByte(text, 0) >= 0 {
			return fmt.Errorf("line %d has a NUL: this is no text", n)
		}
		c.row, c.line = strings.Split(text, "|"), n
		if c.column == nil {
			if c.column, err = header(c.row); err != nil {
				return err
			}
			return slurmColumns(c)
		}
		return t.slurmJob(c, loc)
	})
	if err != nil {
		return err
	}
	if c.column == nil {
		return fmt.Errorf("the file is empty; make it with\n  %s", sacctHint)
	}
	t.notes = append(t.notes, "sacct writes times without a zone: they are taken as "+loc.String()+"; another with --tz")
	return nil
}

func slurmColumns(c *cells) error {
	for _, need := range [][]string{{"jobid", "jobidraw"}, {"submit"}, {"elapsed", "elapsedraw", "end"}, {"alloccpus", "ncpus", "reqcpus", "alloctres", "reqtres"}} {
		found := false
		for _, name := range need {
			found = found || c.has(name)
		}
		if !found {
			return fmt.Errorf("line 1: there is no column %s; make the file with\n  %s", strings.Join(need, " or "), sacctHint)
		}
	}
	return nil
}

func (t *jobTrace) slurmJob(c *cells, loc *time.Location) (err error) {
	id := c.text("jobid")
	if id == "" {
		id = c.text("jobidraw")
	}
	switch {
	case id == "":
		return c.fault("JobID", "the name of a job")
	case strings.Contains(id, "."):
		t.left.add("is a step of a job", id)
		return nil
	}
	j := pastJob{id: id, watts: math.NaN(), class: classOfJob(c.text("user"), c.text("jobname"))}
	if said, ok := slurmSpan(c.text("timelimit")); ok { // else UNLIMITED, or Partition_Limit
		j.said = said
	}
	switch state, _, _ := strings.Cut(c.text("state"), " "); state { // "CANCELLED by 1000"
	case "RUNNING", "PENDING", "SUSPENDED", "REQUEUED", "RESIZING":
		t.left.add("is not complete ("+strings.ToLower(state)+")", id)
		return nil
	}
	if j.arrive, err = parseStamp(c.text("submit"), loc); err != nil {
		return c.fault("Submit", "a time, want it as 2026-10-01T08:00:00")
	}
	started := true
	if j.length, started, err = slurmLength(c, loc); err != nil {
		return err
	}
	if !started {
		t.left.add("never started", id)
		return nil
	}
	if err := slurmSize(c, &j); err != nil {
		return err
	}
	if raw := c.text("consumedenergyraw"); raw != "" && j.length > 0 {
		joules, err := strconv.ParseFloat(raw, 64)
		// Slurm writes 0, or 2^64 less something, where nothing was measured.
		if err == nil && joules > 0 && joules/j.length.Seconds() <= mostJobWatts {
			j.watts = joules / j.length.Seconds()
		}
	}
	return t.keep(j)
}

// slurmLength returns how long a job ran; started is false if it never did.
func slurmLength(c *cells, loc *time.Location) (d time.Duration, started bool, err error) {
	switch start := c.text("start"); start {
	case "Unknown", "None":
		return 0, false, nil
	}
	switch {
	case c.text("elapsedraw") != "":
		s, err := c.number("elapsedraw", longestJob.Seconds()*10, "a number of seconds")
		return time.Duration(s * float64(time.Second)), true, err
	case c.text("elapsed") != "":
		if d, ok := slurmSpan(c.text("elapsed")); ok {
			return d, true, nil
		}
		return 0, false, c.fault("Elapsed", "a length of time, want it as 1-02:30:00")
	}
	if end := c.text("end"); end == "Unknown" || end == "None" {
		return 0, false, nil
	}
	from, err := parseStamp(c.text("start"), loc)
	if err != nil {
		return 0, false, c.fault("Start", "a time, want it as 2026-10-01T08:00:00")
	}
	to, err := parseStamp(c.text("end"), loc)
	if err != nil || to.Before(from) {
		return 0, false, c.fault("End", "a time after Start, want it as 2026-10-01T10:30:00")
	}
	return to.Sub(from), true, nil
}

var slurmTime = regexp.MustCompile(`^(?:(\d{1,4})-)?(?:(\d{1,4}):)?(\d{1,4}):(\d{2})(?:\.\d+)?$`)

// slurmSpan reads [days-][hours:]minutes:seconds.
func slurmSpan(s string) (time.Duration, bool) {
	m := slurmTime.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	part := func(i int) time.Duration { n, _ := strconv.Atoi("0" + m[i]); return time.Duration(n) }
	if part(4) > 59 || m[2] != "" && part(3) > 59 || m[1] != "" && part(2) > 23 {
		return 0, false
	}
	return part(1)*24*time.Hour + part(2)*time.Hour + part(3)*time.Minute + part(4)*time.Second, true
}

var (
	tresCPU = regexp.MustCompile(`(?:^|,)cpu=(\d{1,9})(?:,|$)`)
	tresGPU = regexp.MustCompile(`(?:^|,)gres/gpu=(\d{1,9})(?:,|$)`)
)

func slurmSize(c *cells, j *pastJob) (err error) {
	for _, name := range []string{"alloccpus", "ncpus", "reqcpus"} {
		if c.text(name) != "" {
			if j.cpus, err = c.number(name, mostJobCPUs, "a number of cpus"); err != nil {
				return err
			}
		}
		if j.cpus > 0 {
			break
		}
	}
	for _, name := range []string{"alloctres", "reqtres"} {
		if m := tresCPU.FindStringSubmatch(c.text(name)); m != nil && j.cpus == 0 {
			j.cpus, _ = strconv.ParseFloat(m[1], 64)
		}
		if m := tresGPU.FindStringSubmatch(c.text(name)); m != nil && j.gpus == 0 {
			j.gpus, _ = strconv.ParseFloat(m[1], 64)
		}
		if j.cpus > mostJobCPUs || j.gpus > mostJobGPUs {
			return c.fault(name, fmt.Sprintf("what one job has, want up to %d cpus and %d cards", mostJobCPUs, mostJobGPUs))
		}
	}
	return nil
}
