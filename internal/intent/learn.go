package intent

import (
	"fmt"
	"strings"
	"time"

	"clusy.io/clusy/internal/workload"
)

// learned is what a file says instead of a duration that is to be learned.
const learned = "learned"

// classForm is a class in the schema; workload.ValidClass is the rule.
func classForm() form {
	f := anyScalar(workload.MaxClass)
	f["pattern"] = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	return f
}

// Lengths says how long the work of a class has taken: Expected and P95 of its
// runs. Its error says, for the owner of the file, why that is not known.
type Lengths func(class string) (workload.Duration, error)

// ParseLearned is ParseGroup of a file that may leave its duration to be learned: how
// long the work of its class takes is asked of lengths, at most once, and only
// if a document does not declare it. What is declared always counts. The figures
// are part of the intent that comes back, so that they are sealed with it.
func ParseLearned(src []byte, filename string, now time.Time, lengths Lengths) (Group, error) {
	return parse(src, filename, now, lengths)
}

// learn fills in what d does not declare with what was learned of its class.
func (r *reader) learn(d workload.Duration, class string) workload.Duration {
	p := at("shape", "duration")
	f := fault{path: p, limit: "a length of time: 90m, 6h, 1h30m or 2d", nearest: "6h", meant: p}
	if r.root.child("shape").value.child("duration") == nil {
		f.path, f.limit, f.nearest = at("shape", "class"), "a class whose runs say it, or shape.duration", "" // it is what stands there
	}
	var known workload.Duration
	var err error
	switch {
	case r.bad(at("shape", "class")):
		r.faults[len(r.faults)-1].meant = p // the length is not to be missed besides
		return workload.Duration{}
	case class == "":
		f.message, f.limit, f.nearest = "is to be learned of a class of work, and there is none", "with shape.class, or a length of time", ""
	case !workload.ValidClass(class):
		f = classFault(class)
		f.meant = p
	case r.ask == nil:
		f.message = "the duration is to be learned, and nobody is asked here how long such work takes: declare shape.duration"
	default:
		if known, err = r.ask(class); err != nil {
			f.message = err.Error()
		} else if known.Expected <= 0 || known.P95 < known.Expected {
			f.message = "the runs of this class do not say how long such work takes: declare shape.duration"
		}
	}
	if f.message != "" {
		r.say(f)
		return workload.Duration{}
	}
	d.Expected = upTo(known.Expected, time.Second)
	if d.P95 == 0 {
		d.P95 = upTo(known.P95, time.Second)
	}
	if d.Max == 0 {
		// What was learned may be wrong, and work that is killed is lost: room.
		d.Max = min(2*d.P95, max(MaxDuration, d.P95))
	}
	return d
}

// classFault is what is wrong with a class that is not the name of one.
func classFault(s string) fault {
	f := fault{path: at("shape", "class"), message: fmt.Sprintf("%s is not the name of a class", quote(s)), value: s,
		limit: fmt.Sprintf("a-z, 0-9 and -, beginning and ending with a letter or digit, at most %d", workload.MaxClass)}
	if near := nearClass(s); near != s && workload.ValidClass(near) {
		f.nearest = near
	}
	return f
}

// nearClass is what somebody may have meant who wrote s for a class.
func nearClass(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case strings.ContainsRune(" _-./:", r):
			return '-'
		}
		return -1
	}, clip(s))
	return strings.Trim(s[:min(len(s), workload.MaxClass)], "-")
}
