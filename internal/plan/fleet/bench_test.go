package fleet

import (
	"fmt"
	"testing"
)

// BenchmarkSolve plans crowded weeks of growing size, on one core. The gap is
// in hundredths of a percent.
func BenchmarkSolve(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := crowdedWeek(n, 168, 4, 0.6, 1)
			b.ReportAllocs()
			var s Solution
			for b.Loop() {
				s = Solve(in, Options{})
			}
			b.ReportMetric(1e4*s.Gap(), "gap/1e-4")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/job")
		})
	}
}

// BenchmarkReplan plans a hundred thousand jobs whose forecast has changed, from
// the prices of before.
func BenchmarkReplan(b *testing.B) {
	in := crowdedWeek(100_000, 168, 4, 0.6, 1)
	before := Solve(in, Options{})
	for c := range in.Cost[0] {
		in.Cost[0][c] *= 1 + 0.1*float64(c*7919%13-6)/6
	}
	var s Solution
	for b.Loop() {
		s = Solve(in, Options{Warm: &before})
	}
	b.ReportMetric(1e4*s.Gap(), "gap/1e-4")
}
