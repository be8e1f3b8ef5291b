package workload

import (
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

func TestCards(t *testing.T) {
	a := Resources{CPU: 1, GPUs: Cards(GPU{"h100", 2}, GPU{"a100", 1}, GPU{"", 5}, GPU{"l4", 0})}
	if a.GPUs != [MostGPUs]GPU{{"a100", 1}, {"h100", 2}} || a.GPU() != (GPU{"a100", 1}) || a.Has("h100") != 2 || a.Has("") != 0 {
		t.Errorf("%+v", a)
	}
	b := a.Plus(Resources{GPUs: Cards(GPU{"h100", 1})})
	if b.Has("h100") != 3 || b.Has("a100") != 1 || b.CPU != 1 {
		t.Errorf("%+v", b)
	}
	if !a.Within(b) || b.Within(a) || b.Within(Resources{CPU: 9}) || !a.Within(Resources{CPU: 1, GPUs: b.GPUs}) {
		t.Error("what fits does not depend on accelerators")
	}
	if got := (Resources{GPUs: Cards(GPU{"a", Unlimited})}).Plus(Resources{GPUs: Cards(GPU{"a", 1})}); got.Has("a") != Unlimited {
		t.Errorf("%d", got.Has("a"))
	}
	for s, want := range map[string]bool{"a100": true, "h100-80g": true, "": false, "-a": false, "a-": false, "A100": false, "a b": false, strings.Repeat("x", 32): true, strings.Repeat("x", 33): false} {
		if IsGPUType(s) != want {
			t.Errorf("%q is %v", s, !want)
		}
	}
}

func TestOn(t *testing.T) {
	s := Shape{Power: 1, Duration: Duration{Expected: 4 * time.Hour, P95: 5 * time.Hour}, Ways: []Way{{Power: 2, Duration: Duration{Expected: 2 * time.Hour, P95: 2 * time.Hour}, Demand: Resources{CPU: 7}}}}
	if s.On(0).Power != 1 || s.On(1).Power != 2 || s.On(1).Demand.CPU != 7 || s.On(1).Duration.Expected != 2*time.Hour || s.On(2).Power != 1 || s.On(-1).Power != 1 {
		t.Error("another way than was asked for")
	}
	if booked, expected := s.Quickest(); booked != 132*time.Minute || expected != 2*time.Hour {
		t.Errorf("%s %s", booked, expected)
	}
}

// 0.06 kWh a gigabyte, by hand; the time at 1 Gbit/s.
func TestTransfer(t *testing.T) {
	if e := TransferEnergy(1_000_000_000 >> 20); e != 215_848 { // 953 MiB are 999,292,928 bytes
		t.Errorf("%d J", e)
	}
	if e := TransferEnergy(200 << 10); e < 12*grid.KilowattHour || e > 13*grid.KilowattHour {
		t.Errorf("200 GiB draw %s", e)
	}
	if d := (Data{MiB: 200 << 10}).TransferTime(); d != 1718*time.Second {
		t.Errorf("200 GiB take %s", d)
	}
	if d := (Data{MiB: 200 << 10, Mbit: 10_000}).TransferTime(); d != 172*time.Second {
		t.Errorf("200 GiB take %s at 10 Gbit/s", d)
	}
	if d := (Data{MiB: 1 << 62, Mbit: 1}).TransferTime(); d != MaxDuration {
		t.Errorf("%s", d)
	}
}

func TestHardwareIsValidated(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := func() Shape {
		d := Duration{Expected: time.Hour, P95: time.Hour, Max: 2 * time.Hour}
		return Shape{Duration: d, Power: grid.Watt, When: When{CompleteBy: now.Add(10 * time.Hour)}, Demand: Resources{GPUs: Cards(GPU{"a100", 2})},
			Ways: []Way{{Duration: d, Power: grid.Watt, Demand: Resources{GPUs: Cards(GPU{"h100", 2})}}}, Size: 4, Data: Data{Home: "a", MiB: 1}}
	}
	if vs := good().Validate(now); len(vs) > 0 {
		t.Fatalf("%+v", vs)
	}
	for pointer, change := range map[string]func(*Shape){
		"/gpus":                func(s *Shape) { s.Demand.GPUs[1] = GPU{"h100", 1} },
		"/alternatives/0/gpus": func(s *Shape) { s.Ways[0].Demand.GPUs[0].Count = MaxGPUs + 1 },
		"/alternatives":        func(s *Shape) { s.Ways = make([]Way, MaxWays+1) },
		"/alternatives/0/duration/expectedSeconds": func(s *Shape) { s.Ways[0].Duration.Expected = 0 },
		"/alternatives/0/duration/p95Seconds":      func(s *Shape) { s.Ways[0].Duration.P95 = time.Minute },
		"/alternatives/0/duration/maxSeconds":      func(s *Shape) { s.Ways[0].Duration.Max = time.Minute },
		"/alternatives/0/watts":                    func(s *Shape) { s.Ways[0].Power = -1 },
		"/gang":                                    func(s *Shape) { s.Size = MaxGang + 1 },
		"/data/home":                               func(s *Shape) { s.Data.Home = "" },
		"/data/mebibytes":                          func(s *Shape) { s.Data.MiB = MaxData + 1 },
		"/data/megabitsPerSecond":                  func(s *Shape) { s.Data.Mbit = -1 },
	} {
		s := good()
		change(&s)
		found := false
		for _, v := range s.Validate(now) {
			found = found || v.Pointer == pointer
		}
		if !found {
			t.Errorf("nothing is said of %s: %+v", pointer, s.Validate(now))
		}
	}
	both := good()
	both.Elastic = []Level{{Size: 500, Speed: 500}}
	if vs := both.Validate(now); len(vs) != 4 {
		t.Errorf("elastic, and a gang with alternatives, accelerators and data: %+v", vs)
	}
}
