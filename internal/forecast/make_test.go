package forecast_test

import (
	"testing"
	"time"

	"clusy.io/clusy/internal/forecast"
)

func BenchmarkMake(b *testing.B) {
	trace, clim := load(b)
	s := trace["DE-LU"]
	p := forecast.Past{Zone: s.Zone, Basis: s.Basis, Measured: s}
	now := s.Start.Add(60 * 24 * time.Hour)
	for b.Loop() {
		if _, _, ok := forecast.Make(p, clim, now, time.Hour, 72); !ok {
			b.Fatal("no forecast")
		}
	}
}
