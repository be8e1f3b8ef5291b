package intent

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a small machine has no table of time zones of its own

	"clusy.io/clusy/internal/workload"
)

// maxDenials is how many denied windows a file may list.
const maxDenials = 32

// denial is one line of when.windows.deny: a time that comes again, or one that
// does not. The server never sees it, only the times that it comes to.
type denial struct {
	days     [7]bool // by time.Weekday: the days on which it begins
	from, to int     // minutes of the day; to ≤ from is on the next day
	zone     *time.Location

	once workload.Span // meaningful only if zone is nil
}

const (
	someDay  = `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`
	someDays = someDay + `(?:-` + someDay + `)?`
	someHour = `(?:[01][0-9]|2[0-3]):[0-5][0-9]`
	someZone = `[+-](?:0[0-9]|1[0-4]):[0-5][0-9]|[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}`
)

var (
	denialForm = regexp.MustCompile(`^(?:(daily|` + someDays + `(?:,` + someDays + `)*) +)?(` + someHour + `)-(` + someHour + `|24:00) +(` + someZone + `)$`)
	zonelessly = regexp.MustCompile(`^(?:\S+ +)?[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$`)
)

var weekdays = map[string]time.Weekday{"Sun": 0, "Mon": 1, "Tue": 2, "Wed": 3, "Thu": 4, "Fri": 5, "Sat": 6}

// parseDenial reads "Mon-Fri 08:00-10:00 Europe/Berlin", or two instants with a
// slash between them.
func parseDenial(s string, now time.Time) (d denial, err error) {
	if first, second, ok := strings.Cut(s, "/"); ok && second != "" && strings.ContainsAny(second[:1], "+0123456789") {
		for _, x := range []struct {
			text string
			to   *time.Time
		}{{first, &d.once.Start}, {second, &d.once.End}} {
			if *x.to, _, err = parseInstant(x.text, now); err != nil {
				return denial{}, err
			}
		}
		d.once.Start, d.once.End = d.once.Start.Truncate(time.Second), ceilSecond(d.once.End)
		if !d.once.Start.Before(d.once.End) {
			return denial{}, fmt.Errorf("%s ends before it begins", quote(s))
		}
		return d, nil
	}
	m := denialForm.FindStringSubmatch(s)
	if m == nil && zonelessly.MatchString(s) {
		return denial{}, fmt.Errorf("%s has no time zone, so it means another time in each place; end it with UTC, +01:00 or Europe/Berlin", quote(s))
	}
	if m == nil {
		return denial{}, fmt.Errorf("%s is not a window; write Mon-Fri 08:00-10:00 Europe/Berlin, or two instants with / between them", quote(s))
	}
	for _, part := range strings.Split(m[1], ",") {
		d.mark(part)
	}
	d.from, d.to = minutes(m[2]), minutes(m[3])
	if d.from == d.to {
		return denial{}, fmt.Errorf("%s is no time at all; a whole day is 00:00-24:00", quote(s))
	}
	d.zone, err = zoneOf(m[4])
	return d, err
}

// mark adds the days of Mon, of Mon-Fri, or all of them.
func (d *denial) mark(days string) {
	first, last, isRange := strings.Cut(days, "-")
	begin, named := weekdays[first]
	if !named { // daily, or nothing
		d.days = [7]bool{true, true, true, true, true, true, true}
		return
	}
	end := begin
	if isRange {
		end = weekdays[last]
	}
	for day := begin; ; day = (day + 1) % 7 {
		if d.days[day] = true; day == end {
			return
		}
	}
}

func minutes(clock string) int {
	h, _ := strconv.Atoi(clock[:2])
	m, _ := strconv.Atoi(clock[3:])
	return 60*h + m
}

// zoneOf returns an offset, or a zone of the IANA's table.
func zoneOf(name string) (*time.Location, error) {
	if name[0] == '+' || name[0] == '-' {
		offset := 60 * minutes(name[1:])
		if name[0] == '-' {
			offset = -offset
		}
		return time.FixedZone(name, offset), nil
	}
	zone, err := time.LoadLocation(name)
	if name == "Z" {
		zone, err = time.UTC, nil
	}
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%s is not a time zone; write UTC, +01:00, or a name of the IANA's table as Europe/Berlin", quote(name))
	}
	return zone, nil
}

func nearDenial(s string) string {
	fields := strings.Fields(s)
	for i, f := range fields {
		if i == 0 && strings.IndexFunc(f, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 {
			parts := strings.FieldsFunc(strings.ToLower(f), func(r rune) bool { return r == ',' || r == '-' })
			for _, p := range parts {
				if len(p) >= 3 && p != "daily" {
					f = regexp.MustCompile(`(?i)\b`+regexp.QuoteMeta(p)+`\b`).ReplaceAllString(f, strings.ToUpper(p[:1])+p[1:3])
				}
			}
			fields[i] = f
		}
	}
	t := strings.Join(fields, " ")
	if zonelessly.MatchString(t) {
		t += " UTC"
	}
	return t
}

// in returns the times that d comes to which end after from and begin before to.
func (d denial) in(from, to time.Time) (out []workload.Span) {
	add := func(s workload.Span) {
		if s.End.After(from) && s.Start.Before(to) {
			if s.End.After(to) {
				s.End = to // past it nobody asks
			}
			out = append(out, workload.Span{Start: s.Start.UTC(), End: s.End.UTC()})
		}
	}
	if d.zone == nil {
		add(d.once)
		return out
	}
	y, m, first := from.In(d.zone).Date()
	for day := first - 2; ; day++ {
		begin := time.Date(y, m, day, 0, 0, 0, 0, time.UTC)
		if begin.After(to.Add(24 * time.Hour)) {
			return out
		}
		if !d.days[begin.Weekday()] {
			continue
		}
		end := begin.Add(time.Duration(d.to) * time.Minute)
		if d.to <= d.from {
			end = end.Add(24 * time.Hour)
		}
		earliest, _ := clockShows(begin.Add(time.Duration(d.from)*time.Minute), d.zone)
		_, latest := clockShows(end, d.zone)
		add(workload.Span{Start: earliest, End: latest})
	}
}

// clockShows returns the first and the last instant at which a clock of a zone may
// be said to show wall, which is written in UTC. They differ in the hour that a
// change of the clocks repeats, or leaves out: in doubt a window is the longer.
func clockShows(wall time.Time, zone *time.Location) (first, last time.Time) {
	const day = 24 * time.Hour
	for _, near := range []time.Time{wall.Add(-day), wall.Add(day)} {
		_, offset := near.In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if last.IsZero() || t.After(last) {
			last = t
		}
	}
	// Where both are told by the clocks or neither is, there is a doubt.
	shows := func(t time.Time) bool {
		_, offset := t.In(zone).Zone()
		return t.Add(time.Duration(offset) * time.Second).Equal(wall)
	}
	switch a, b := shows(first), shows(last); {
	case a && !b:
		return first, first
	case b && !a:
		return last, last
	}
	return first, last
}

// windows reads when.windows.
func (r *reader) windows(when *node) {
	p := at("when", "windows", "deny")
	n := r.section(when, at("when", "windows"))
	if n == nil {
		return
	}
	v := r.get(n, p)
	if v == nil {
		return
	}
	if v.kind != kindList {
		r.list(v, p, "a window", "[Mon-Fri 08:00-10:00 Europe/Berlin]")
		return
	}
	if len(v.items) > maxDenials {
		r.say(fault{path: p, message: fmt.Sprintf("has %d windows", len(v.items)), limit: fmt.Sprintf("at most %d", maxDenials)})
		return
	}
	for i, item := range v.items {
		if item.kind == kindMapping { // YAML takes a colon in brackets for one
			r.say(fault{path: p.with(strconv.Itoa(i)), message: "a window in brackets must stand in quotes", limit: `["Mon-Fri 08:00-10:00 Europe/Berlin"]`})
			continue
		}
		d, ok := quantity(r, item, p.with(strconv.Itoa(i)), "a window: Mon-Fri 08:00-10:00 Europe/Berlin, or two instants with / between them",
			func(s string) (denial, error) { return parseDenial(s, r.now) }, nearDenial)
		if ok {
			r.denials = append(r.denials, d)
		}
	}
}

// deny works out the times that are denied, from now to a week past completeBy,
// and checks that the work fits beside them.
func (r *reader) deny(in *Intent) {
	if len(r.denials) == 0 || len(r.faults) > 0 {
		return
	}
	by := in.When.CompleteBy
	var all []workload.Span
	for _, d := range r.denials {
		all = append(all, d.in(r.now, by.Add(workload.DenyAhead))...)
	}
	in.When.Deny = joined(all)
	p := at("when", "windows", "deny")
	if n := len(in.When.Deny); n > workload.MaxDeny {
		r.say(fault{path: p, message: fmt.Sprintf("comes to %d times until a week past completeBy", n), limit: fmt.Sprintf("at most %d", workload.MaxDeny)})
		return
	}
	longest, sum := in.open(r.now)
	booked := in.soonest()
	f := fault{path: p, infeasible: true, limit: fmt.Sprintf("at least %s: duration.p95 and a tenth", length(booked))}
	switch {
	case !in.Shape.Interruptible.Allowed && longest < booked:
		f.message = fmt.Sprintf("the work does not fit beside it: it books %s, and the longest time that is left is %s", length(booked), length(longest))
		if sum >= booked {
			f.nearest = "shape.interruptible: true, if it may be suspended"
		}
		r.say(f)
	case sum < booked:
		f.message = fmt.Sprintf("the work does not fit beside it: it books %s, and %s are left in all", length(booked), length(sum))
		r.say(f)
	}
}

// open returns the longest time that is not denied between now and completeBy,
// and the sum of all.
func (in Intent) open(now time.Time) (longest, sum time.Duration) {
	from, by := now.Add(in.wait(now)), in.When.CompleteBy
	see := func(to time.Time) {
		if to.After(by) {
			to = by
		}
		if d := to.Sub(from); d > 0 {
			longest, sum = max(longest, d), sum+d
		}
	}
	for _, s := range in.When.Deny {
		see(s.Start)
		if s.End.After(from) {
			from = s.End
		}
	}
	see(by)
	return longest, sum
}

// joined puts spans in order and makes one of those that touch.
func joined(spans []workload.Span) (out []workload.Span) {
	slices.SortFunc(spans, func(a, b workload.Span) int { return a.Start.Compare(b.Start) })
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Start.After(out[n-1].End) {
			if s.End.After(out[n-1].End) {
				out[n-1].End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
