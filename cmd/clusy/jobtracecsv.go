package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// csvColumns are the columns that a CSV of jobs may have. arrival_h or arrival,
// length_h and cpus must be there.
var csvColumns = []string{"id", "arrival_h", "arrival", "length_h", "cpus", "gpus", "watts", "slack_h", "complete_by", "interruptible", "zone", "class", "user", "name", "declared_h"}

// readCSV reads jobs by hours: arrival_h counts from the beginning of the trace.
func (t *jobTrace) readCSV(body []byte) error {
	r := csv.NewReader(bytes.NewReader(body))
	r.Comment = '#'
	r.ReuseRecord = true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	if err != nil {
		return err
	}
	c := &cells{}
	if c.column, err = header(head); err != nil {
		return err
	}
	if !c.has("arrival_h") && !c.has("arrival") || !c.has("length_h") || !c.has("cpus") {
		return fmt.Errorf("the columns are %s; want arrival_h (hours) or arrival (a time), length_h and cpus, as in\n  arrival_h,length_h,cpus\n  0.5,2,8\nor the output of sacct -P, or of kubectl get jobs -o json", clean(strings.Join(head, ",")))
	}
	var unused []string
	for name := range c.column {
		if !slices.Contains(csvColumns, name) {
			unused = append(unused, clean(name))
		}
	}
	if slices.Sort(unused); len(unused) > 0 {
		t.notes = append(t.notes, "columns not used: "+strings.Join(unused[:min(len(unused), 12)], ", ")+"; those that are: "+strings.Join(csvColumns, ", "))
	}
	t.dated = c.has("arrival")
	for {
		if c.row, err = r.Read(); errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.line, _ = r.FieldPos(0)
		j, err := t.csvJob(c)
		if err != nil {
			return err
		}
		if err := t.keep(j); err != nil {
			return err
		}
	}
}

func (t *jobTrace) csvJob(c *cells) (j pastJob, err error) {
	if j.id = c.text("id"); j.id == "" {
		j.id = fmt.Sprintf("line %d", c.line)
	}
	if t.dated {
		if j.arrive, err = parseStamp(c.text("arrival"), time.UTC); err != nil {
			return j, c.fault("arrival", "a time, want it as 2026-10-01T08:00Z")
		}
	} else {
		h, err := c.number("arrival_h", 10*8784, "hours from the beginning of the trace")
		if err != nil {
			return j, err
		}
		j.arrive = dateless.Add(hoursOf(h))
	}
	h, err := c.number("length_h", 8784, "the hours that it ran")
	if err != nil {
		return j, err
	}
	j.length = hoursOf(h)
	if j.cpus, err = c.number("cpus", mostJobCPUs, "a number of cpus"); err != nil {
		return j, err
	}
	j.watts = math.NaN()
	if c.text("watts") != "" {
		if j.watts, err = c.number("watts", mostJobWatts, "its mean power in watts"); err != nil {
			return j, err
		}
	}
	if c.text("gpus") != "" {
		if j.gpus, err = c.number("gpus", mostJobGPUs, "a number of cards"); err != nil {
			return j, err
		}
	}
	if c.text("interruptible") != "" {
		yes := false
		switch strings.ToLower(c.text("interruptible")) {
		case "1", "true", "yes":
			yes = true
		case "0", "false", "no":
		default:
			return j, c.fault("interruptible", "yes or no")
		}
		j.pauses = &yes
	}
	j.zone = c.text("zone")
	if j.class = c.text("class"); j.class == "" {
		j.class = classOfJob(c.text("user"), c.text("name"))
	}
	if c.text("declared_h") != "" {
		h, err := c.number("declared_h", 8784, "the hours that its owner said")
		if err != nil {
			return j, err
		}
		j.said = hoursOf(h)
	}
	return j, t.csvWindow(c, &j)
}

// classOfJob makes a class of who ran what; "" if neither is told.
func classOfJob(user, name string) string {
	if user == "" && name == "" {
		return ""
	}
	return user + "\x00" + name
}

func (t *jobTrace) csvWindow(c *cells, j *pastJob) error {
	switch {
	case c.text("complete_by") != "" && c.text("slack_h") != "":
		return fmt.Errorf("line %d: complete_by and slack_h are both given: one of them", c.line)
	case c.text("slack_h") != "":
		h, err := c.number("slack_h", 8784, "hours that it may wait")
		if err != nil {
			return err
		}
		j.window = j.length + hoursOf(h)
	case c.text("complete_by") != "" && t.dated:
		by, err := parseStamp(c.text("complete_by"), time.UTC)
		if err != nil {
			return c.fault("complete_by", "a time, want it as 2026-10-01T20:00Z")
		}
		j.window = by.Sub(j.arrive)
	case c.text("complete_by") != "":
		h, err := c.number("complete_by", 12*8784, "hours from the beginning of the trace")
		if err != nil {
			return err
		}
		j.window = hoursOf(h) - j.arrive.Sub(dateless)
	default:
		return nil
	}
	if j.window < j.length {
		return fmt.Errorf("line %d: it arrives and must be complete %s later, and ran for %s", c.line, span(max(j.window, 0)), span(j.length))
	}
	return nil
}

func hoursOf(h float64) time.Duration { return time.Duration(math.Round(h * float64(time.Hour))) }

// parseStamp reads a time as traces write it. One without a zone is of loc.
func parseStamp(s string, loc *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, loc); err == nil {
			if y := at.Year(); y < 1990 || y > 2200 {
				return time.Time{}, fmt.Errorf("the year %d", y)
			}
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("no time")
}
