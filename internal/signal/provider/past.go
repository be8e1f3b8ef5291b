package provider

import (
	"context"
	"time"

	"clusy.io/clusy/internal/grid"
)

// past asks for a zone's past, at most so much at a time, until an answer holds
// something. Stretches of nothing are passed over, as to end there would say
// that there is no more.
func (s *source) past(ctx context.Context, now time.Time, o *origin, from, to time.Time, most time.Duration,
	ask func(from, until time.Time) question, read func(answer) ([]point, error)) (grid.Series, error) {
	told := o.series()
	for from.Before(to) && len(told.Values) == 0 {
		until := earlier(to, from.Add(most))
		err := s.get(ctx, now, ask(from, until), func(a answer) error {
			ps, err := read(a)
			if err != nil {
				return err
			}
			if err = o.asked(ps, from, until); err == nil {
				told, err = o.history(ps, from, until, now)
			}
			return err
		})
		if err != nil {
			return o.series(), err
		}
		from = until
	}
	return told, nil
}
