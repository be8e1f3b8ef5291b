package sim

import (
	"context"
	"errors"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
)

// seer is the provider of what was measured: each hour appears when it is over,
// and in an outage there is no answer. It draws nothing: zones are asked at the
// same time, and must be told the same in any order.
type seer struct {
	signal.Provider
	dark func() bool
}

var errDark = errors.New("503 Service Unavailable")

func (s *seer) History(ctx context.Context, zone grid.Zone, from, to, now time.Time) (grid.Series, error) {
	if s.dark() {
		return grid.Series{}, errDark
	}
	return s.Provider.History(ctx, zone, from, to, now)
}

func (s *seer) Zones(ctx context.Context) ([]grid.Zone, error) {
	if s.dark() {
		return nil, errDark
	}
	return s.Provider.Zones(ctx)
}
