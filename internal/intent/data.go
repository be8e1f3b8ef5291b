package intent

import (
	"fmt"
	"math"
	"strings"

	"clusy.io/clusy/internal/workload"
)

// data reads what must be brought to where the work runs.
func (r *reader) data() (d workload.Data) {
	p := at("data")
	n := r.section(r.root, p)
	if n == nil {
		return d
	}
	if v := r.get(n, p.with("home")); v != nil {
		d.Home, _ = r.scalar(v, p.with("home"), "a site or a zone")
	}
	if v := r.get(n, p.with("size")); v != nil {
		d.MiB, _ = quantity(r, v, p.with("size"), "an amount of data: 500MB or 200GiB", parseMemory, nearMemory)
	}
	if v := r.get(n, p.with("rate")); v != nil {
		d.Mbit, _ = quantity(r, v, p.with("rate"), "a rate: 100Mbit/s or 10Gbit/s", parseRate, nearRate)
	}
	if d == (workload.Data{}) && !r.bad(p) {
		r.say(fault{path: p, place: r.where(n, p), message: "says neither home nor size", limit: "{home: berlin, size: 200GiB}"})
	}
	return d
}

// parseRate reads "10Gbit/s" into megabits a second, rounded down.
func parseRate(s string) (int64, error) {
	num, unit := cutUnit(s)
	f, ok := decimal(num)
	scale, known := map[string]float64{"Mbit/s": 1, "Gbit/s": 1000}[unit]
	if !ok || !known || f*scale < 1 || f*scale > workload.MaxMbit {
		return 0, fmt.Errorf("%s is not a rate of a network; write 100Mbit/s or 10Gbit/s", quote(s))
	}
	return int64(math.Floor(f*scale + 1e-9)), nil
}

func nearRate(s string) string {
	return near(strings.NewReplacer("bps", "bit/s").Replace(s), "Gbit/s", "Mbit/s", "Gbit/s")
}

func (c *checker) data(d workload.Data) {
	if d == (workload.Data{}) {
		return
	}
	p := at("data")
	f := fault{path: p.with("home"), message: fmt.Sprintf("%s is not the name of a site or a zone", quote(d.Home)), value: d.Home, limit: "letters, digits and . _ / -, at most 128"}
	if strings.Contains(d.Home, "*") {
		f.message = "data lies at one site or zone, and not wherever a pattern says"
	}
	c.must(workload.IsHome(d.Home), f)
	c.must(d.MiB >= 1 && d.MiB <= workload.MaxData, fault{path: p.with("size"), message: "is no amount of data that we believe", value: fmt.Sprintf("%dMiB", d.MiB), limit: "1MiB to 1024TiB"})
	c.must(d.Mbit >= 0 && d.Mbit <= workload.MaxMbit, fault{path: p.with("rate"), message: "is not a rate of a network that we believe", value: fmt.Sprintf("%dMbit/s", d.Mbit), limit: "1Mbit/s to 10000Gbit/s"})
}

// blindData rounds an amount of ten gibibytes and more up to whole ones.
func blindData(d workload.Data) workload.Data {
	if rest := d.MiB % 1024; d.MiB > 10*1024 && rest > 0 {
		d.MiB += 1024 - rest
	}
	return d
}
