package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// family is one metric in the text format of Prometheus, with its samples.
type family struct {
	name, kind, help string
	samples          []sample
}

type sample struct {
	labels []string // names and values in turn
	value  float64
}

func (f *family) add(value float64, labels ...string) {
	f.samples = append(f.samples, sample{labels, value})
}

// at adds a time, unless it is not known.
func (f *family) at(t time.Time, labels ...string) {
	if !t.IsZero() {
		f.add(float64(t.UnixMilli())/1000, labels...)
	}
}

var (
	escapedHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapedLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// write writes f, or nothing if it has no sample: what is not known is absent.
func (f *family) write(b *bytes.Buffer) {
	if len(f.samples) == 0 {
		return
	}
	b.WriteString("# HELP " + f.name + " " + escapedHelp.Replace(f.help) + "\n# TYPE " + f.name + " " + f.kind + "\n")
	for _, s := range f.samples {
		b.WriteString(f.name)
		before := "{"
		for pair := range slices.Chunk(s.labels, 2) {
			b.WriteString(before + pair[0] + `="` + escapedLabel.Replace(strings.ToValidUTF8(pair[1], "�")) + `"`)
			before = ","
		}
		if before == "," {
			b.WriteByte('}')
		}
		b.WriteString(" " + strconv.FormatFloat(s.value, 'g', -1, 64) + "\n")
	}
}

// How old what a monitoring system is told may be: a measured value since the
// end of its step, a forecast since it was issued.
const (
	staleMeasured = 3 * time.Hour
	staleForecast = 24 * time.Hour
)

// metrics is what a monitoring system collects. It never has a sample for what
// is not known, and none for what is stale.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	caller, _ := wire.CallerOf(r.Context())
	want := map[string]bool{}
	for _, list := range r.URL.Query()["compat"] {
		for name := range strings.SplitSeq(list, ",") {
			if name != "grid-intensity" && name != "carbon-aware" {
				http.Error(w, "compat is "+strconv.Quote(clipped(name))+"; it may be grid-intensity, carbon-aware or both with a comma", http.StatusBadRequest)
				return
			}
			want[name] = true
		}
	}
	families, err := s.signalFamilies(r.Context(), want)
	if err == nil {
		var more []*family
		more, err = s.tenantFamilies(r.Context(), caller.Tenant)
		families = append(families, more...)
	}
	if err != nil {
		s.complain(w, r, err)
		return
	}
	var b bytes.Buffer
	for _, f := range families {
		f.write(&b)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// signalFamilies is what is measured and expected of each zone, and how its
// sources are doing.
func (s *Server) signalFamilies(ctx context.Context, want map[string]bool) ([]*family, error) {
	build := &family{"clusy_build_info", "gauge", "The version of the server; always 1.", nil}
	build.add(1, "version", s.Version)
	measured := &family{"clusy_grid_intensity_gco2_per_kwh", "gauge", "Carbon intensity of the grid zone as last measured. Absent if unknown or more than 3 h old.", nil}
	until := &family{"clusy_grid_measured_until_timestamp_seconds", "gauge", "End of the time that the last measured value is of.", nil}
	expected := &family{"clusy_grid_intensity_forecast_gco2_per_kwh", "gauge", "Expected carbon intensity: now, and the mean and the least of the next 24 h. Absent if not all of that is known.", nil}
	issued := &family{"clusy_grid_forecast_issued_timestamp_seconds", "gauge", "When the forecast in use was issued.", nil}
	gridIntensity := &family{"grid_intensity_carbon_average", "gauge", "Average carbon intensity for the electricity grid in this location.", nil}
	carbonAware := &family{"carbon_aware_intensity", "gauge", "Carbon intensity in g/kWh, as the Carbon Aware SDK names it.", nil}

	now, basis := s.Now(), s.Rules.PlansOn()
	err := s.Store.ViewAll(ctx, func(tx SystemTx) error {
		forecasts, err := tx.LatestForecasts()
		if err != nil {
			return err
		}
		all := grid.BelieveAll(basis, forecasts)
		for _, zone := range all.Zones() {
			past, err := s.past(tx, zone, now.Add(-recent), now)
			if err != nil {
				return err
			}
			var last grid.Reading
			var end time.Time
			past.each(now.Add(-recent), now, func(r grid.Reading, _, to time.Time) bool { last, end = r, to; return true }, func(_, _ time.Time) bool { return true })
			until.at(end, "zone", string(zone))
			if !end.IsZero() && now.Sub(end) <= staleMeasured {
				measured.add(perKWh(last.Value), labelsOf(last.Provenance)...)
				gridIntensity.add(perKWh(last.Value), "location", string(zone), "provider", last.Provider, "is_estimated", strconv.FormatBool(last.Estimated), "units", "gCO2e per kWh")
				carbonAware.add(perKWh(last.Value), "location", string(zone))
			}
			o := all.Of(zone)
			r, ok := o.At(now)
			if !ok || now.Sub(r.Issued) > staleForecast {
				continue
			}
			issued.at(r.Issued, "zone", string(zone))
			labels := labelsOf(r.Provenance)
			expected.add(perKWh(r.Value), append(labels, "stat", "now")...)
			if mean, _, ok := o.Mean(now, now.Add(24*time.Hour)); ok {
				expected.add(perKWh(mean), append(labels, "stat", "mean24h")...)
				expected.add(perKWh(least(o, now, now.Add(24*time.Hour))), append(labels, "stat", "min24h")...)
			}
		}
		return nil
	})
	out := []*family{build, measured, until, expected, issued}
	if want["grid-intensity"] {
		out = append(out, gridIntensity)
	}
	if want["carbon-aware"] {
		out = append(out, carbonAware)
	}
	return append(out, s.sourceFamilies(now)...), err
}

// labelsOf says whose a number is. What is appended to it is a copy.
func labelsOf(p grid.Provenance) []string {
	return slices.Clip([]string{"zone", string(p.Zone), "signal", string(p.Basis.Signal), "scope", string(p.Basis.Scope), "provider", p.Provider,
		"estimated", strconv.FormatBool(p.Estimated), "grade", string(p.Grade)})
}

// least returns the least intensity that is known between from and to.
func least(o grid.Outlook, from, to time.Time) grid.Intensity {
	low := grid.Unknown
	for t := from; t.Before(to); t = o.Until(t, to) {
		if r, ok := o.At(t); ok && (!low.Known() || r.Value < low) {
			low = r.Value
		}
	}
	return low
}

func (s *Server) sourceFamilies(now time.Time) []*family {
	success := &family{"clusy_signal_last_success_timestamp_seconds", "gauge", "When a source last answered as it should for the zone.", nil}
	failure := &family{"clusy_signal_last_error_timestamp_seconds", "gauge", "When a source last did not. Absent if none ever did.", nil}
	quarantined := &family{"clusy_signal_quarantined", "gauge", "Sources that are not believed for the zone at present.", nil}
	health := s.Zones.Signals(now)
	for _, z := range health.Zones {
		labels := inBasis("zone", z.Zone, z.Basis)
		success.at(z.LastSuccess, labels...)
		failure.at(z.LastErrorAt, labels...)
		quarantined.add(float64(len(z.Quarantined)), labels...)
	}
	asked := &family{"clusy_signal_requests_total", "counter", "Times that the source was asked since the server started.", nil}
	failed := &family{"clusy_signal_errors_total", "counter", "Times that it did not answer as it should.", nil}
	answered := &family{"clusy_signal_source_last_success_timestamp_seconds", "gauge", "When the source last answered as it should, for any zone.", nil}
	limit := &family{"clusy_signal_budget_limit", "gauge", "Requests that the source allows in its window. Absent if none is known.", nil}
	used := &family{"clusy_signal_budget_used", "gauge", "Requests used of that.", nil}
	for _, h := range health.Sources {
		labels := inBasis("provider", h.Name, h.Basis)
		asked.add(float64(h.Asked), labels...)
		failed.add(float64(h.Failed), labels...)
		answered.at(h.LastSuccess, labels...)
		if h.Budget != nil && h.Budget.Limit > 0 {
			limit.add(float64(h.Budget.Limit), labels...)
			used.add(float64(h.Budget.Used), labels...)
		}
	}
	return []*family{success, failure, quarantined, asked, failed, answered, limit, used}
}

func inBasis(label, value, basis string) []string {
	signal, scope, _ := strings.Cut(basis, "/")
	return []string{label, value, "signal", signal, "scope", scope}
}

// tenantFamilies is what the caller's tenant has at work and on its ledger.
// What the ledger comes to are gauges: a restatement may lower them.
func (s *Server) tenantFamilies(ctx context.Context, tenant access.Tenant) ([]*family, error) {
	states := &family{"clusy_workloads", "gauge", "Workloads in each state.", nil}
	late := &family{"clusy_workloads_late", "gauge", "Workloads that missed the time by which they were to be complete.", nil}
	err := s.Store.View(ctx, tenant, func(tx TenantTx) error {
		by, n, err := tx.Counts()
		for _, st := range workload.States() {
			states.add(float64(by[st]), "tenant", string(tenant), "state", string(st))
		}
		late.add(float64(n), "tenant", string(tenant))
		return err
	})
	if err != nil {
		return nil, err
	}
	t, _, err := s.tallies.upTo(ctx, s.Store, tenant)
	if err != nil {
		return nil, err
	}
	energy := &family{"clusy_ledger_energy_kwh", "gauge", "Energy on the ledger.", nil}
	emitted := &family{"clusy_ledger_emitted_grams", "gauge", "Emissions on the ledger, CO2-equivalent.", nil}
	saved := &family{"clusy_ledger_saved_grams", "gauge", "Emissions less than those of the baseline; below 0 if they are more.", nil}
	all, err := sums(t, func(p ledger.Part) bool { return p.Kind == t.Newest }, func(ledger.Part) string { return "" })
	if err == nil && len(all) > 0 {
		energy.add(all[0].EnergyKWh, "tenant", string(tenant))
		emitted.add(all[0].Emitted, "tenant", string(tenant))
		saved.add(all[0].Saved, "tenant", string(tenant))
	}
	return []*family{states, late, energy, emitted, saved}, err
}
