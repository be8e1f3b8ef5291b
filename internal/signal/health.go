package signal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// Health says how the signals of one zone are doing.
type Health struct {
	Zone           grid.Zone
	Provider       string            // that last brought a value; "" if none did
	LastSuccess    time.Time         // when a provider last answered as it should
	LastError      string            // what last went wrong, with the provider's name; kept when it is over
	LastErrorAt    time.Time         // zero if nothing did
	MeasuredUntil  time.Time         // the end of the last measured value that is stored
	Grade          grid.Grade        // of the forecast in use; "" if there is none
	ForecastIssued time.Time         // when that was made
	Verdict        forecast.Verdict  // why it is what it is
	Quarantined    map[string]string // sources that are not believed for the zone, and why
}

// SourceHealth says how one source is doing, over all zones.
type SourceHealth struct {
	Name          string
	Basis         grid.Basis
	Offers        []string // history, forecast, prices
	Asked, Failed int64    // since the start
	LastSuccess   time.Time
	LastError     string
	LastErrorAt   time.Time
	Budget        Budget // the zero value if none is known
	Zones         int    // wanted zones that it has
	Quarantined   int    // of those: where it is not believed
}

// Health returns the state of every wanted zone, sorted by zone. It may be
// called at any time from any goroutine.
func (p *Poller) Health() []Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Health, 0, len(p.zones))
	for _, st := range p.zones {
		h := st.health
		for i, s := range st.source {
			if s.quarantine != "" {
				if h.Quarantined == nil {
					h.Quarantined = map[string]string{}
				}
				h.Quarantined[p.Providers[i].Name()] = s.quarantine
			}
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Health) int { return cmp.Compare(a.Zone, b.Zone) })
	return all
}

// Sources returns the state of every source, the most trusted first.
func (p *Poller) Sources(now time.Time) []SourceHealth {
	all := make([]SourceHealth, 0, len(p.Providers))
	p.mu.Lock()
	defer p.mu.Unlock()
	for rank, source := range p.Providers {
		var h SourceHealth
		if kept := p.sources[source.Name()]; kept != nil {
			h = *kept
		}
		h.Name, h.Basis, h.Offers = source.Name(), BasisOf(source), Offers(source)
		if m, ok := source.(Metered); ok {
			h.Budget = m.Budget(now)
		}
		for _, st := range p.zones {
			if rank < len(st.source) && !st.source[rank].absent && st.loaded && h.Basis == p.basis() {
				h.Zones++
				if st.source[rank].quarantine != "" {
					h.Quarantined++
				}
			}
		}
		all = append(all, h)
	}
	return all
}

// Offers returns what a source tells: history, forecast, prices.
func Offers(source Provider) []string {
	offers := []string{"history"}
	if _, ok := source.(Forecaster); ok {
		offers = append(offers, "forecast")
	}
	if _, ok := source.(Pricer); ok {
		offers = append(offers, "prices")
	}
	return offers
}

// count changes what is known of a source. Zones are looked at side by side.
func (p *Poller) count(source string, f func(*SourceHealth)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sources == nil {
		p.sources = map[string]*SourceHealth{}
	}
	if p.sources[source] == nil {
		p.sources[source] = &SourceHealth{}
	}
	f(p.sources[source])
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
