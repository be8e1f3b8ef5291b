package intent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// Blind returns the part of in that may leave the enclave. It refuses an intent
// that can no longer be done in time at now; the Shape itself does not depend
// on now, so that whoever opens the intent finds the same one again.
//
// What leaves is coarser than what was written, so that it tells less of the
// work that stands behind it:
//   - durations: whole seconds up, whole minutes up from ten minutes on (never
//     less than 1 s);
//   - power: whole watts up (never less than 1 W);
//   - instants: whole seconds. They are promises, and are not moved. Of the denied
//     windows the times that they come to, without weekdays and time zone;
//   - the home of data and the rate at which it is brought as they are; its amount
//     in whole gibibytes up from ten gibibytes on;
//   - cores (thousandths), memory (mebibytes) and accelerators as they are: they
//     are compared with what a site has, where a rounded-up demand would not fit;
//   - sizes and speeds of elastic work as they are: ratios, without what is run;
//   - ceilings, shares, counts and words of the policy as they are: the server
//     keeps them to the letter.
//
// The only texts are patterns of sites and zones, types of accelerators, the
// name of a site or a zone where data lies, a currency's code, numbers or ids of
// what it waits for, the name of a class, and that of a queue, which an admin has
// set up on the server; all are held to an alphabet in which nothing else can be
// said.
// The name of a class is disclosed on purpose, as its owner wrote it: it is the
// one name of its owner's that a server learns, and only if it is given.
func Blind(in Intent, now time.Time) (workload.Shape, error) {
	s := shapeOf(in)
	if earliest := now.Add(in.wait(now) + in.soonest()); s.When.CompleteBy.Before(earliest) {
		return workload.Shape{}, problem.With(problem.Infeasible, "the work can no longer be done in time", problem.Violation{
			Pointer: "/when/completeBy",
			Message: fmt.Sprintf("the work books %s, and would end at %s at the earliest", length(in.soonest()), earliest.UTC().Format(time.RFC3339)),
			Value:   s.When.CompleteBy.Format(time.RFC3339),
			Nearest: ceilMinute(earliest).UTC().Format(time.RFC3339),
		})
	}
	return s, nil
}

// shapeOf is Blind without the clock.
func shapeOf(in Intent) workload.Shape {
	power := blindPower(in.Shape.Power, in.Shape.Gang)
	i := in.Shape.Interruptible
	if i.Allowed {
		i.Overhead, i.MinRun = coarse(i.Overhead), coarse(i.MinRun)
	}
	return workload.Shape{
		Duration:      blindDuration(in.Shape.Duration),
		Power:         power,
		PowerSource:   in.Shape.PowerSource,
		Demand:        in.Shape.Resources.demand(power, in.Shape.Gang),
		Ways:          blindWays(in.Shape.Alternatives, in.Shape.Gang),
		Size:          in.Shape.Gang,
		Interruptible: i,
		Class:         in.Shape.Class,
		Data:          blindData(in.Data),
		Elastic:       append([]workload.Level(nil), in.Shape.Elastic...),
		When:          inUTC(in.When),
		Where:         workload.Where{Allow: copied(in.Where.Allow), Prefer: copied(in.Where.Prefer)},
		Objective:     in.Objective,
		Policy:        in.Policy,
		Queue:         in.Queue,
		After:         copied(in.After),
	}
}

func blindDuration(d workload.Duration) workload.Duration {
	return workload.Duration{
		Expected: max(coarse(d.Expected), time.Second),
		P95:      max(coarse(d.P95), time.Second),
		Max:      max(coarse(d.Max), time.Second),
	}
}

// coarse rounds up to whole seconds, and from ten minutes on to whole minutes.
func coarse(d time.Duration) time.Duration {
	if d < 10*time.Minute {
		return upTo(d, time.Second)
	}
	return upTo(d, time.Minute)
}

func ceilTo(p, step grid.Power) grid.Power {
	if rest := p % step; rest > 0 {
		return p - rest + step
	}
	return p
}

func copied(s []string) []string { return append([]string(nil), s...) }

// ShapeDigest names a Shape by its content: hex SHA-256 of its JSON with
// instants in UTC. A shape that was stored and read again has the same digest. Of
// what it waits for only the number counts, and not its group: the server gives
// members of a group their ids, and can leave none of them out.
func ShapeDigest(s workload.Shape) string {
	s.When = inUTC(s.When)
	s.Group = ""
	if len(s.After) > 0 {
		s.After = make([]string, len(s.After))
	}
	b, err := json.Marshal(s)
	if err != nil {
		// Only a year past 9999 cannot be written. Such a shape is not ours,
		// and must not share a digest with one that is.
		b = fmt.Appendf(nil, "unwritable shape: %v", s)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
