package executor

import (
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clockTick is the unit of processor time in /proc: Linux shows every program
// 100 ticks a second, whatever its own clock does.
const clockTick = 10 * time.Millisecond

// RAPL reads the energy counters that processors keep of themselves ("running
// average power limit", in Linux under /sys/class/powercap). They count the
// whole machine's processor packages and their memory, not the task's share,
// and not disks, network, fans or losses: a measured lower bound.
type RAPL struct {
	mu      sync.Mutex
	domains []domain
	total   uint64 // microjoules since OpenRAPL
}

// domain is one counter.
type domain struct {
	path string // of energy_uj
	wrap uint64 // the value after which it begins again at 0
	last uint64
}

// OpenRAPL finds the counters below the file system root, "/" for this machine,
// and begins to count at 0. It reports false if there are none or if they
// cannot be read, as they can be by root only since Linux 5.10.
func OpenRAPL(root string) (*RAPL, bool) {
	base := filepath.Join(root, "sys/class/powercap")
	r := &RAPL{}
	seen := map[string]bool{}
	// Some machines show a package a second time through memory-mapped
	// registers (intel-rapl-mmio): the first one of a name counts.
	for _, kind := range []string{"intel-rapl:", "intel-rapl-mmio:"} {
		zones, _ := filepath.Glob(filepath.Join(base, kind+"*"))
		slices.Sort(zones)
		for _, zone := range zones {
			name, counted := zoneName(zone)
			if !counted || seen[name] {
				continue
			}
			seen[name] = true
			d := domain{path: filepath.Join(zone, "energy_uj")}
			var ok1, ok2 bool
			d.wrap, ok1 = readCounter(filepath.Join(zone, "max_energy_range_uj"))
			d.last, ok2 = readCounter(d.path)
			if !ok1 || !ok2 || d.wrap == 0 || d.last > d.wrap {
				return nil, false // half of a sum is not a sum
			}
			r.domains = append(r.domains, d)
		}
	}
	return r, len(r.domains) > 0
}

// zoneName returns a name for the zone that is the same however it is reached,
// and whether it is one to count: packages, and the memory that belongs to one,
// which its package does not include. All other parts of a package (core,
// uncore) and what includes packages (psys) would be counted twice.
func zoneName(zone string) (string, bool) {
	name := readWord(filepath.Join(zone, "name"))
	if strings.HasPrefix(name, "package-") {
		return name, true
	}
	parent, _, _ := cutLast(zone, ":")
	if above := readWord(filepath.Join(parent, "name")); name == "dram" && strings.HasPrefix(above, "package-") {
		return above + "/" + name, true
	}
	return "", false
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func readWord(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readCounter(path string) (uint64, bool) {
	n, err := strconv.ParseUint(readWord(path), 10, 64)
	return n, err == nil
}

// Energy returns the microjoules counted since OpenRAPL, and false if any
// counter cannot be read now: unknown is never zero. A counter wraps after some
// 20 minutes of full load, and a second wrap cannot be seen: call it at least
// every few minutes.
func (r *RAPL) Energy() (microjoules uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := make([]uint64, len(r.domains))
	for i, d := range r.domains {
		if now[i], ok = readCounter(d.path); !ok || now[i] > d.wrap {
			return 0, false // nothing is taken over: the next reading covers it
		}
	}
	for i := range r.domains {
		d := &r.domains[i]
		if now[i] >= d.last {
			r.total += now[i] - d.last
		} else {
			r.total += d.wrap - d.last + now[i]
		}
		d.last = now[i]
	}
	return r.total, true
}

// Share returns the part of a machine's energy, in microjoules, that a task has
// to bear: in proportion to the processor time that its processes used, of all
// that the machine used in the same interval, rounded up. So what the machine
// draws while idle is borne by those that keep it busy, each by its part, and a
// task that has the machine to itself bears all of it. It is false if the
// machine's busy time is not known: then neither is the share.
func Share(microjoules uint64, task, machine time.Duration) (uint64, bool) {
	if task < 0 || machine <= 0 {
		return 0, false
	}
	// Ticks of the two clocks are read one after the other.
	task = min(task, machine)
	hi, lo := bits.Mul64(microjoules, uint64(task))
	q, rest := bits.Div64(hi, lo, uint64(machine)) // task <= machine: no overflow
	if rest > 0 {
		q++
	}
	return q, true
}

// BusyTime returns the processor time that all processors of the machine have
// spent on work since it started: user, nice, system and interrupts, from
// /proc/stat below root. Idle time, waiting for disks and what a hypervisor
// took away are not work of this machine.
func BusyTime(root string) (time.Duration, bool) {
	b, err := os.ReadFile(filepath.Join(root, "proc/stat"))
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 8 || f[0] != "cpu" {
		return 0, false
	}
	var sum uint64
	for _, i := range []int{1, 2, 3, 6, 7} { // user nice system (idle iowait) irq softirq
		n, err := strconv.ParseUint(f[i], 10, 64)
		if err != nil || n > 1<<36 {
			return 0, false
		}
		sum += n
	}
	return time.Duration(sum) * clockTick, true
}
