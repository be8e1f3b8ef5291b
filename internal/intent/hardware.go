package intent

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// gpus reads {type, count}.
func (r *reader) gpus(resources *node, p path) (g workload.GPU) {
	n := r.section(resources, p)
	if n == nil {
		return g
	}
	g.Count = 1
	if v := r.get(n, p.with("type")); v != nil {
		g.Type, _ = r.scalar(v, p.with("type"), "a type of accelerator, such as a100")
	}
	g.Count = int64(r.integer(r.get(n, p.with("count")), p.with("count"), 1, fmt.Sprintf("1 to %d", workload.MaxGPUs)))
	return g
}

// alternatives reads a list of kinds of hardware, or a single one.
func (r *reader) alternatives(shape *node) (out []Alternative) {
	p := at("shape", "alternatives")
	n := r.get(shape, p)
	switch {
	case n == nil:
		return nil
	case n.kind == kindMapping:
		return append(out, r.alternative(n, p))
	case n.kind != kindList:
		r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be a list of kinds of hardware", n.kind), value: n.shown(), limit: "[{duration: 2h, power: 2.8kW, resources: {gpus: {type: h100, count: 2}}}]"})
		return nil
	}
	for i, item := range n.items {
		ip := p.with(strconv.Itoa(i))
		if i == workload.MaxWays {
			break // check says that there are too many
		}
		if r.mapping(item, ip) {
			out = append(out, r.alternative(item, ip))
		}
	}
	if len(n.items) > workload.MaxWays {
		r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("has %d kinds of hardware", len(n.items)), limit: fmt.Sprintf("at most %d", workload.MaxWays)})
	}
	return out
}

func (r *reader) alternative(n *node, p path) Alternative {
	a := Alternative{Resources: Resources{CPU: DefaultCPU}}
	r.names(n, p)
	a.Duration = r.lengths(n, p.with("duration"), "")
	if v := r.get(n, p.with("power")); v != nil {
		a.Power, _ = quantity(r, v, p.with("power"), "a power: 300W or 2.4kW", grid.ParsePower, nearPower)
	} else if n.child("power") == nil {
		r.say(fault{path: p.with("power"), message: "an alternative must say its power: the table of hardware knows cores only", limit: "a power", nearest: "300W"})
	}
	if rs := r.section(n, p.with("resources")); rs != nil {
		a.Resources = r.resources(rs, p.with("resources"))
	}
	return a
}

// quickest is the least time that the work is expected to take on any hardware.
func (s Shape) quickest() time.Duration {
	least := s.Duration.Expected
	for _, a := range s.Alternatives {
		least = min(least, a.Duration.Expected)
	}
	return least
}

// booked is the least time that is booked for the work on any hardware.
func (s Shape) booked() time.Duration {
	least := blindDuration(s.Duration).Booked()
	for _, a := range s.Alternatives {
		least = min(least, blindDuration(a.Duration).Booked())
	}
	return least
}

// hardware checks what stands for a kind of hardware.
func (c *checker) hardware(p path, rs Resources) {
	c.whole(p.with("cpus"), rs.CPU, 1, MaxCPU, "0.001 to 100000 cores")
	c.whole(p.with("memory"), rs.Memory, 0, MaxMemory, "at most 64TiB")
	if g := rs.GPUs; g != (workload.GPU{}) {
		near := ""
		if low := strings.ToLower(g.Type); workload.IsGPUType(low) {
			near = low
		}
		c.must(workload.IsGPUType(g.Type), fault{path: p.with("gpus").with("type"), message: fmt.Sprintf("%s is not a type of accelerator", quote(g.Type)), value: g.Type,
			limit: "1 to 32 small letters, digits and -", nearest: near})
		c.whole(p.with("gpus").with("count"), g.Count, 1, workload.MaxGPUs, fmt.Sprintf("1 to %d", workload.MaxGPUs))
	}
}

func (c *checker) alternatives(s Shape) {
	p := at("shape", "alternatives")
	c.must(len(s.Alternatives) <= workload.MaxWays, fault{path: p, message: fmt.Sprintf("has %d kinds of hardware", len(s.Alternatives)), limit: fmt.Sprintf("at most %d", workload.MaxWays)})
	for i, a := range s.Alternatives {
		ip := p.with(strconv.Itoa(i))
		c.lengths(ip.with("duration"), a.Duration)
		c.power(ip.with("power"), a.Power)
		c.hardware(ip.with("resources"), a.Resources)
	}
	c.must(s.Resources.GPUs.Count == 0 || s.PowerSource != PowerFromTable, fault{path: at("shape", "power"), message: "must be given for work on accelerators: the table of hardware knows cores only", limit: "a power", nearest: "300W"})
}

// gang reads how many processes start together.
func (r *reader) gang(shape *node) int {
	p := at("shape", "gang")
	n := r.get(shape, p)
	if n != nil && n.kind == kindMapping {
		r.names(n, p)
		p = p.with("size")
		if n = r.get(n, p); n == nil && !r.bad(p[:2]) {
			r.say(fault{path: p[:2], message: "does not say how many", limit: "4, or {size: 4}"})
		}
	}
	size := r.integer(n, p, 1, fmt.Sprintf("1 to %d", workload.MaxGang))
	if size == 0 {
		r.say(fault{path: p, place: n.at, message: "is no process at all", value: "0", limit: fmt.Sprintf("1 to %d", workload.MaxGang), nearest: "1"})
	}
	if size == 1 {
		return 0
	}
	return size
}

// together checks that a gang is no more than one process may be.
func (c *checker) together(s Shape) {
	p := at("shape", "gang")
	c.must(s.Gang == 0 || s.Gang >= 2 && s.Gang <= workload.MaxGang, fault{path: p, message: "is not a number of processes", value: strconv.Itoa(s.Gang), limit: fmt.Sprintf("1 to %d", workload.MaxGang), nearest: "1"})
	if s.Gang < 2 || s.Gang > workload.MaxGang || len(s.Alternatives) > workload.MaxWays {
		return
	}
	for _, a := range append([]Alternative{{Power: s.Power, Resources: s.Resources}}, s.Alternatives...) {
		n := int64(s.Gang)
		c.must(a.Power <= MaxPower/grid.Power(n) && a.Resources.CPU <= MaxCPU/n && a.Resources.Memory <= MaxMemory/n && a.Resources.GPUs.Count <= workload.MaxGPUs/n,
			fault{path: p, message: "has more processes than all limits allow: power and resources are of each of them", value: strconv.Itoa(s.Gang), limit: "together no more than one process may have"})
	}
}

// demand is what a kind of hardware occupies at its site, as it is disclosed:
// all processes of a gang together.
func (rs Resources) demand(power grid.Power, gang int) workload.Resources {
	n := int64(max(gang, 1))
	rs.GPUs.Count *= n
	return workload.Resources{CPU: n * rs.CPU, Memory: n * rs.Memory, Power: power, Slots: 1, GPUs: workload.Cards(rs.GPUs)}
}

func blindWays(as []Alternative, gang int) (out []workload.Way) {
	for _, a := range as {
		power := blindPower(a.Power, gang)
		out = append(out, workload.Way{Duration: blindDuration(a.Duration), Power: power, Demand: a.Resources.demand(power, gang)})
	}
	return out
}

func blindPower(p grid.Power, gang int) grid.Power {
	return max(ceilTo(p*grid.Power(max(gang, 1)), grid.Watt), grid.Watt)
}
