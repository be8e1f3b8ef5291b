package executor

import (
	"math"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// powercap makes a tree of zones below a fresh root: name, counter, range.
func powercap(t *testing.T, zones map[string][3]string) string {
	t.Helper()
	root := t.TempDir()
	for zone, z := range zones {
		dir := filepath.Join(root, "sys/class/powercap", zone)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, f := range []string{"name", "energy_uj", "max_energy_range_uj"} {
			if err := os.WriteFile(filepath.Join(dir, f), []byte(z[i]+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func set(t *testing.T, root, zone, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, "sys/class/powercap", zone, "energy_uj"), []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRAPL(t *testing.T) {
	root := powercap(t, map[string][3]string{
		"intel-rapl:0":        {"package-0", "1000", "262143"},
		"intel-rapl:0:0":      {"core", "7", "262143"},
		"intel-rapl:0:1":      {"dram", "50", "65535"},
		"intel-rapl:1":        {"package-1", "262000", "262143"},
		"intel-rapl:2":        {"psys", "9", "262143"},
		"intel-rapl:2:0":      {"dram", "9", "262143"},
		"intel-rapl-mmio:0":   {"package-0", "123", "262143"},
		"intel-rapl-mmio:0:0": {"dram", "123", "262143"},
		"dtpm:0":              {"package-9", "123", "262143"},
	})
	r, ok := OpenRAPL(root)
	if !ok || len(r.domains) != 3 {
		t.Fatalf("%+v, %v", r, ok)
	}
	want := func(uj uint64, known bool) {
		t.Helper()
		if got, ok := r.Energy(); got != uj || ok != known {
			t.Errorf("energy %d, %v, want %d, %v", got, ok, uj, known)
		}
	}
	want(0, true)
	set(t, root, "intel-rapl:0", "1500")
	set(t, root, "intel-rapl:0:1", "60")
	set(t, root, "intel-rapl:0:0", "9999") // part of the package
	set(t, root, "intel-rapl:2", "9999")   // includes it
	set(t, root, "intel-rapl-mmio:0", "9999")
	want(510, true)
	set(t, root, "intel-rapl:1", "57") // 143 to the wrap, and 57
	want(710, true)
	// One counter that cannot be read makes the sum unknown, and the next
	// reading covers the gap.
	set(t, root, "intel-rapl:0", "1600")
	set(t, root, "intel-rapl:1", "")
	want(0, false)
	set(t, root, "intel-rapl:1", "262144") // past its own range
	want(0, false)
	set(t, root, "intel-rapl:1", "58")
	want(811, true)
}

func TestRAPLUnknown(t *testing.T) {
	for what, zones := range map[string]map[string][3]string{
		"nothing":       {},
		"no packages":   {"intel-rapl:0": {"psys", "1", "100"}},
		"no counter":    {"intel-rapl:0": {"package-0", "", "100"}},
		"no range":      {"intel-rapl:0": {"package-0", "1", "0"}},
		"out of range":  {"intel-rapl:0": {"package-0", "101", "100"}},
		"one of two":    {"intel-rapl:0": {"package-0", "1", "100"}, "intel-rapl:1": {"package-1", "x", "100"}},
		"orphaned dram": {"intel-rapl:0:1": {"dram", "1", "100"}},
	} {
		if r, ok := OpenRAPL(powercap(t, zones)); ok {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestShare(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		uj            uint64
		task, machine time.Duration
		want          uint64
		ok            bool
	}{
		{1000, 1 * s, 4 * s, 250, true},
		{1000, 1 * s, 3 * s, 334, true}, // up
		{1000, 4 * s, 4 * s, 1000, true},
		{1000, 5 * s, 4 * s, 1000, true}, // clocks read one after the other
		{1000, 0, 4 * s, 0, true},
		{0, 1 * s, 4 * s, 0, true},
		{1000, 1 * s, 0, 0, false},
		{1000, -1 * s, 4 * s, 0, false},
		{math.MaxUint64, math.MaxInt64, math.MaxInt64, math.MaxUint64, true},
	} {
		if got, ok := Share(c.uj, c.task, c.machine); got != c.want || ok != c.ok {
			t.Errorf("Share(%d, %s, %s) = %d, %v, want %d, %v", c.uj, c.task, c.machine, got, ok, c.want, c.ok)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		uj := rapid.Uint64().Draw(t, "uj")
		machine := rapid.Int64Range(1, math.MaxInt64).Draw(t, "machine")
		task := rapid.Int64Range(0, machine).Draw(t, "task")
		got, ok := Share(uj, time.Duration(task), time.Duration(machine))
		want := new(big.Int).Mul(new(big.Int).SetUint64(uj), big.NewInt(task))
		want.Add(want, big.NewInt(machine-1)).Div(want, big.NewInt(machine))
		if !ok || want.Cmp(new(big.Int).SetUint64(got)) != 0 {
			t.Fatalf("%d, want %s", got, want)
		}
		// All tasks together bear all of it, and by rounding no less.
		other, _ := Share(uj, time.Duration(machine-task), time.Duration(machine))
		if got < uj && other < uj-got {
			t.Fatalf("%d and %d are less than %d", got, other, uj)
		}
	})
}

func TestBusyTime(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"cpu  1 2 3 1000 1000 4 5 1000 1 1\ncpu0 9 9 9 9 9 9 9\n": 150 * time.Millisecond,
		"cpu  1 2 3 1000 1000 4 5":                                150 * time.Millisecond,
		"cpu  1 2 3":                                              -1,
		"cpu  1 2 x 1000 1000 4 5 0":                              -1,
		"cpu  99999999999999999 2 3 1000 1000 4 5 0":              -1,
		"intr 1 2 3 1000 1000 4 5 0":                              -1,
		"":                                                        -1,
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "proc/stat"), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok := BusyTime(root); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %s, %v, want %s", line, got, ok, want)
		}
	}
	if _, ok := BusyTime(t.TempDir()); ok {
		t.Error("known without /proc")
	}
}
