package signal

import (
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Health says how the signals of one zone are doing.
type Health struct {
	Zone          grid.Zone
	Provider      string     // that last brought a value; "" if none did
	LastSuccess   time.Time  // when a provider last answered as it should
	LastError     string     // what last went wrong, with the provider's name; kept when it is over
	LastErrorAt   time.Time  // zero if nothing did
	MeasuredUntil time.Time  // the end of the last measured value that is stored
	Grade         grid.Grade // of the forecast in use; "" if there is none
}

// Health returns the state of every wanted zone, sorted by zone. It may be
// called at any time from any goroutine.
func (p *Poller) Health() []Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Health, 0, len(p.zones))
	for _, st := range p.zones {
		all = append(all, st.health)
	}
	slices.SortFunc(all, func(a, b Health) int { return strings.Compare(string(a.Zone), string(b.Zone)) })
	return all
}

func (h *Health) succeed(now time.Time, provider string, brought bool) {
	h.LastSuccess = now
	if brought {
		h.Provider = provider
	}
}

func (h *Health) fail(now time.Time, provider, why string) {
	h.LastError, h.LastErrorAt = strings.TrimPrefix(provider+": "+why, ": "), now
}

func (p *Poller) note(st *zoneState, f func(*Health)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&st.health)
}

func (p *Poller) state(zone grid.Zone) *zoneState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.zones == nil {
		p.zones = map[grid.Zone]*zoneState{}
	}
	if p.zones[zone] == nil {
		p.zones[zone] = &zoneState{health: Health{Zone: zone}, refused: map[string]string{}}
	}
	return p.zones[zone]
}

// forget drops the zones that are no longer wanted.
func (p *Poller) forget(wanted []grid.Zone) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for zone := range p.zones {
		if _, ok := slices.BinarySearch(wanted, zone); !ok {
			delete(p.zones, zone)
		}
	}
}
