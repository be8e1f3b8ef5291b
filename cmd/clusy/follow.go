package main

import (
	"context"
	"time"

	"clusy.io/clusy"
)

// lookAgain is the longest time between two looks at a workload of which
// nothing is heard: its progress is not on record, and a server may be silent.
const lookAgain = 5 * time.Second

// waitForEnd follows a workload until it has ended and its hours are booked,
// for a while at least. It looks whenever the record says that something has
// happened, and calls see on each look.
func waitForEnd(ctx context.Context, c *clusy.Client, id string, see func(clusy.Workload, time.Time)) (clusy.Workload, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan struct{}, 1)
	go func() {
		// If the stream is refused, looking from time to time must do.
		_ = c.Watch(ctx, id, -1, func(clusy.Change) error {
			select {
			case news <- struct{}{}:
			default: // a look is due already
			}
			return nil
		})
	}()
	var ended time.Time
	for {
		w, err := c.Workload(ctx, id)
		if err != nil {
			return w, err
		}
		st, err := c.Status(ctx)
		if err != nil {
			return w, err
		}
		if see != nil {
			see(w, st.Now)
		}
		pause := lookAgain
		if terminal(w.State) {
			if ended.IsZero() {
				ended = time.Now()
			}
			// A replay books an hour within seconds; in real time it takes
			// until the hour is over, and nobody should wait for that.
			patience := 2 * time.Second
			if st.Rate > 1 {
				patience = 15 * time.Second
			}
			if w.Account != nil && w.Account.Complete || len(w.Attempts) == 0 || time.Since(ended) > patience {
				return w, nil
			}
			pause = 500 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-news:
		case <-time.After(pause):
		}
	}
}
