package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/workload"
)

// size returns the size at which the work of h is to run at now: that of the
// span that it is in, else of the next one, and past the last one of that. It is
// 0 for work that has one size only. A size that the work does not have is a
// mistake of the schedule, and the work runs as it is declared.
func (h *hold) size(now time.Time) int {
	if len(h.Shape.Elastic) == 0 {
		return 0
	}
	size := 0
	for _, sp := range h.Schedule.Spans {
		if size = sp.Size; now.Before(sp.End) {
			break
		}
	}
	if _, ok := h.Shape.SpeedAt(size); !ok || size == 0 {
		return workload.Declared
	}
	return size
}

// fits reports whether work has room at a site with a capacity, at each size at
// which it is to run.
func fits(s workload.Shape, spans []workload.Span, capacity workload.Resources) bool {
	if len(s.Elastic) == 0 {
		return s.Demand.Within(capacity)
	}
	return !slices.ContainsFunc(spans, func(sp workload.Span) bool { return !s.Demand.At(sp.Size).Within(capacity) })
}

// scale brings the work of h to the size that it is to have now. After a crash
// the engine says which it had.
func (a *Agent) scale(ctx context.Context, h *hold, now time.Time) error {
	want := h.size(now)
	if want == 0 || h.seen.Size() == 0 || h.seen.Size() == want {
		return nil
	}
	err := a.Executor.Scale(ctx, h.task(), want)
	if errors.Is(err, executor.ErrEnded) {
		err = nil // the next look says how
	}
	if err != nil {
		return err
	}
	if h.seen, err = a.Executor.Observe(ctx, h.task()); err != nil {
		return fmt.Errorf("look at %s: %w", h.task(), err)
	}
	a.tell()
	return nil
}

// sized cuts a run where the size of the work changes, and says how fast it was
// in each piece.
func (a *Agent) sized(h *hold, run ledger.Run) (out []ledger.Run) {
	if len(h.seen.Sizes) == 0 {
		return []ledger.Run{run}
	}
	for i, s := range h.seen.Sizes {
		piece := run
		if at := a.instant(s.At); i > 0 && piece.From.Before(at) {
			piece.From = at
		}
		if i+1 < len(h.seen.Sizes) {
			if at := a.instant(h.seen.Sizes[i+1].At); at.Before(piece.To) {
				piece.To = at
			}
		}
		if !piece.From.Before(piece.To) {
			continue
		}
		if speed, ok := h.Shape.SpeedAt(s.Size); ok && s.Size != workload.Declared {
			piece.Size, piece.Speed = s.Size, speed
		}
		if n := len(out); n > 0 && out[n-1].To.Equal(piece.From) && out[n-1].Size == piece.Size {
			out[n-1].To = piece.To
			continue
		}
		out = append(out, piece)
	}
	return out
}

// instant is a time of the engine in the clock's time, as it is reported.
func (a *Agent) instant(t time.Time) time.Time {
	return a.Clock.At(t).UTC().Truncate(time.Microsecond)
}

// stints returns how many runs there are, those that adjoin counted as one, and
// when the last one began.
func stints(runs []ledger.Run) (n int, since time.Time) {
	for i, r := range runs {
		if i == 0 || !runs[i-1].To.Equal(r.From) {
			n, since = n+1, r.From
		}
	}
	return n, since
}

// alike sums up how long runs lasted at each size, in the order in which the
// sizes come first: an energy is rounded once for each.
func alike(runs []ledger.Run) (out []struct {
	size   int
	length time.Duration
}) {
	for _, r := range runs {
		i := 0
		for i < len(out) && out[i].size != r.Size {
			i++
		}
		if i == len(out) {
			out = append(out, struct {
				size   int
				length time.Duration
			}{size: r.Size})
		}
		out[i].length += r.To.Sub(r.From)
	}
	return out
}
