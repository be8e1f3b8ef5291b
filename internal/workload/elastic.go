package workload

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Declared is the size of work as it is declared, and its speed then.
const Declared = 1000

// Limits on the sizes of elastic work.
const (
	MaxLevels = 8       // the declared one included
	MinSize   = 10      // a hundredth
	MaxSize   = 100_000 // a hundredfold
)

// Levels returns every size at which the work can run, the declared one among
// them, the smallest first. Work that is not elastic has that one alone.
func (s Shape) Levels() []Level {
	out := make([]Level, 0, len(s.Elastic)+1)
	told := false
	for _, l := range s.Elastic {
		if l.Size > Declared && !told {
			out, told = append(out, Level{Declared, Declared}), true
		}
		out = append(out, l)
	}
	if !told {
		out = append(out, Level{Declared, Declared})
	}
	return out
}

// SpeedAt returns how fast the work is at a size, 0 standing for the declared
// one; ok is false if it cannot run at that size.
func (s Shape) SpeedAt(size int) (speed int, ok bool) {
	if size == 0 || size == Declared {
		return Declared, true
	}
	for _, l := range s.Elastic {
		if l.Size == size {
			return l.Speed, true
		}
	}
	return 0, false
}

// Slowest and Fastest return the least and the most speed of all sizes.
func (s Shape) Slowest() int { return min(s.Levels()[0].Speed, Declared) }
func (s Shape) Fastest() int {
	ls := s.Levels()
	return max(ls[len(ls)-1].Speed, Declared)
}

// Useful returns the work, in the declared running time, that a time at a speed
// does, rounded down.
func Useful(d time.Duration, speed int) time.Duration {
	return d/Declared*time.Duration(speed) + d%Declared*time.Duration(speed)/Declared
}

// Takes returns how long work takes at a speed, rounded up to a microsecond: it
// is never less than what the work needs.
func Takes(work time.Duration, speed int) time.Duration {
	if speed == Declared || work <= 0 {
		return work
	}
	us := (work + time.Microsecond - 1) / time.Microsecond
	return (us*Declared + time.Duration(speed) - 1) / time.Duration(speed) * time.Microsecond
}

// At returns r at a size: all but the slots, of which work takes as many at any
// size, in proportion and rounded up.
func (r Resources) At(size int) Resources {
	if size == 0 || size == Declared {
		return r
	}
	r.CPU, r.Memory, r.Power = portion(r.CPU, size), portion(r.Memory, size), grid.Power(portion(int64(r.Power), size))
	for i := range r.GPUs {
		r.GPUs[i].Count = portion(r.GPUs[i].Count, size)
	}
	return r
}

// PowerAt returns the power of the work at a size, rounded up.
func (s Shape) PowerAt(size int) grid.Power {
	if size == 0 {
		size = Declared
	}
	return grid.Power(portion(int64(s.Power), size))
}

func portion(n int64, size int) int64 {
	if n <= 0 || n > 1<<60/MaxSize {
		return n
	}
	return (n*int64(size) + Declared - 1) / Declared
}

// checkElastic lists what is wrong with the sizes of s.
func (s Shape) checkElastic(bad func(pointer, value, limit, nearest, format string, args ...any)) {
	if len(s.Elastic) == 0 {
		return
	}
	if len(s.Elastic) >= MaxLevels {
		bad("/elastic", fmt.Sprintf("%d sizes", len(s.Elastic)+1), fmt.Sprintf("at most %d, the declared one included", MaxLevels), "", "too many sizes: keep those between which the speed changes most")
		return
	}
	for n, l := range s.Elastic {
		pointer, text := fmt.Sprintf("/elastic/%d", n), fmt.Sprintf("size %g, speed %g", float64(l.Size)/Declared, float64(l.Speed)/Declared)
		switch {
		case l.Size < MinSize || l.Size > MaxSize || l.Speed < MinSize || l.Speed > MaxSize:
			bad(pointer, text, "0.01 to 100", "", "a size or a speed is out of bounds")
		case l.Size == Declared:
			bad(pointer, text, "another size than 1", "", "size 1 is the declared work and always there: leave it out")
		case (l.Size > Declared) != (l.Speed > Declared):
			bad(pointer, text, "faster than 1 if larger than 1, slower if smaller", "", "the speed must rise with the size: size 1 has speed 1")
		case n > 0 && (l.Size <= s.Elastic[n-1].Size || l.Speed <= s.Elastic[n-1].Speed):
			bad(pointer, text, "larger and faster than the one before", "", "sizes go from the smallest to the largest, and each is faster than the one before")
		default:
			continue
		}
		return // one is enough to find the mistake by
	}
	if len(s.Ways) > 0 {
		bad("/elastic", "", "elastic, or alternatives of hardware", "", "elastic work cannot have alternatives of hardware too: leave one of the two out")
	}
	if s.Size > 1 {
		bad("/elastic", "", "elastic, or several processes that start together", "", "a gang has one size: leave elastic out, or the number of processes")
	}
	if s.Demand.GPUs != ([MostGPUs]GPU{}) {
		bad("/elastic", "", "elastic, or accelerators", "", "accelerators are not shared out in parts: leave elastic out, or the accelerators")
	}
	if len(s.After) > 0 {
		bad("/elastic", "", "elastic, or after others", "", "work that waits for others has one size: leave elastic out, or after")
	}
	if s.Data.Home != "" {
		bad("/elastic", "", "elastic, or data that is brought", "", "elastic work runs where its data is: leave elastic out, or the data")
	}
}
