package signal

import (
	"hash/fnv"
	"time"

	"clusy.io/clusy/internal/grid"
)

const (
	// soonest and latest bound how long a source is left alone that had
	// nothing new or failed. An outage that ends is noticed within latest.
	soonest = time.Minute
	latest  = 5 * time.Minute
	// again is how often a source is asked whether it has a zone by now.
	again = 24 * time.Hour
	// farthest is what no due time lies ahead of the clock: if it does, the
	// clock was set back.
	farthest = 48 * time.Hour
)

// ripe reports whether what is due at a time is due now. A clock that was set
// back makes everything due.
func ripe(due, now time.Time) bool { return !now.Before(due) || due.Sub(now) > farthest }

// afterValue returns when to ask a source again that has told a value until
// end: when the next step is over. A source that is behind by more than that
// publishes late: it is asked now and then.
func afterValue(zone grid.Zone, source string, end time.Time, step time.Duration, now time.Time) time.Time {
	next := end.Add(step)
	if !next.After(now) {
		return now.Add(clampDuration(step/4, soonest, latest))
	}
	return next.Add(jitter(zone, source, step))
}

// afterFailure returns when to ask a source again that has failed so many times
// in a row, or that asked to be left alone.
func afterFailure(zone grid.Zone, source string, failures int, now time.Time) time.Time {
	wait := clampDuration(soonest<<min(failures-1, 8), soonest, latest)
	return now.Add(wait + jitter(zone, source, wait))
}

// jitter spreads what would be asked of a source at the same moment for all
// zones over a twentieth of the step: the same for a zone each time, so that
// its values stay evenly spaced.
func jitter(zone grid.Zone, source string, step time.Duration) time.Duration {
	return spread(zone, source, min(step/20, 3*time.Minute))
}

// spread returns some time below most, always the same for a zone and source.
func spread(zone grid.Zone, source string, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(source))
	h.Write([]byte{0})
	h.Write([]byte(zone))
	return time.Duration(h.Sum64() % uint64(most)).Truncate(time.Millisecond)
}

func clampDuration(d, low, high time.Duration) time.Duration { return max(low, min(d, high)) }
