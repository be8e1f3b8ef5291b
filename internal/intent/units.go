package intent

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

// parseCPUs reads a number of cores, "2", "0.5" or Kubernetes' "500m", into
// thousandths of a core, rounded up.
func parseCPUs(s string) (int64, error) {
	digits, scale := s, 1000.0
	if t, milli := strings.CutSuffix(s, "m"); milli {
		digits, scale = t, 1
	}
	f, ok := decimal(digits)
	if !ok {
		return 0, fmt.Errorf("%s is not a number of cores; write 2, 0.5 or 500m", quote(s))
	}
	if f*scale >= 1<<40 {
		return 0, fmt.Errorf("%s is more cores than we can count", quote(s))
	}
	return ceilOf(f * scale), nil
}

// parseMemory reads "512MiB", "2GiB", "2GB" into mebibytes, rounded up.
func parseMemory(s string) (int64, error) {
	num, unit := cutUnit(s)
	f, ok := decimal(num)
	if !ok {
		return 0, fmt.Errorf("%s is not an amount of memory; write 512MiB or 2GiB", quote(s))
	}
	size, ok := map[string]float64{
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[unit]
	if !ok {
		return 0, fmt.Errorf("%s has no unit of memory; write 512MiB or 2GiB", quote(s))
	}
	if f*size >= 1<<60 {
		return 0, fmt.Errorf("%s is more memory than we can count", quote(s))
	}
	return ceilOf(f * size / (1 << 20)), nil
}

// ceilOf rounds up, but for the last bits of a float's noise: 0.1 cores are 100
// thousandths and not 101.
func ceilOf(f float64) int64 {
	if r := math.Round(f); math.Abs(f-r) < 1e-9*math.Max(1, f) && r > 0 {
		return int64(r)
	}
	return int64(math.Ceil(f))
}

// parseWatts reads a plain number of watts, as in {watts: 2800}.
func parseWatts(s string) (grid.Power, error) {
	if _, ok := decimal(s); !ok {
		return 0, fmt.Errorf("%s is not a number of watts; write 2800, or value: 2.8kW", quote(s))
	}
	return grid.ParsePower(s + "W")
}

// parseDuration is grid's, without ISO 8601's months and years: P1M is a month
// there and would be read as a minute.
func parseDuration(s string) (time.Duration, error) {
	if iso := strings.ToUpper(strings.TrimSpace(s)); strings.HasPrefix(iso, "P") {
		if days, _, _ := strings.Cut(iso, "T"); strings.ContainsAny(days, "MY") {
			return 0, fmt.Errorf("%s counts in months or years, which have no fixed length; write 90m, 6h, 1h30m or 2d", quote(s))
		}
	}
	return grid.ParseDuration(s)
}

var (
	decimalForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	instantForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$`)
	dayForm     = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})$`)
	localForm   = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)? ?([Zz]|[+-]\d{2}:?\d{2})?$`)
	clockForm   = regexp.MustCompile(`^(\d{1,3}):(\d{2})(?::(\d{2}))?$`)
	numberUnit  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z0-9/]*)$`)
)

// decimal reads a plain decimal number of zero or more, without an exponent.
func decimal(s string) (float64, bool) {
	if !decimalForm.MatchString(s) || len(s) > 30 {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

func cutUnit(s string) (num, unit string) {
	s = strings.TrimSpace(s)
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(s[i:])
}

// parseInstant reads an RFC 3339 instant with its offset, or a time from now
// such as +10h. The instant keeps the offset it was written in.
func parseInstant(s string, now time.Time) (t time.Time, relative bool, err error) {
	if from, ok := strings.CutPrefix(s, "+"); ok {
		d, err := parseDuration(from)
		if err != nil {
			return time.Time{}, true, fmt.Errorf("%s is not a time from now; write +90m, +10h or +2d", quote(s))
		}
		return now.Add(d), true, nil
	}
	if instantForm.MatchString(s) {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.Year() >= 1970 && t.UTC().Year() <= 9999 {
			return t, false, nil
		}
		return time.Time{}, false, fmt.Errorf("%s is a day or a time that the calendar does not have", quote(s))
	}
	if m := localForm.FindStringSubmatch(s); m != nil && m[4] == "" || dayForm.MatchString(s) {
		return time.Time{}, false, fmt.Errorf("%s has no offset from UTC, so it means another instant in each place; end it with Z or +01:00", quote(s))
	}
	return time.Time{}, false, fmt.Errorf("%s is not an instant; write 2026-12-01T07:00:00Z, or +10h for a time from now", quote(s))
}

// nearInstant returns the instant that s most likely means: with Z where no
// offset is given.
func nearInstant(s string) string {
	if dayForm.MatchString(s) {
		return s + "T00:00:00Z"
	}
	if m := localForm.FindStringSubmatch(s); m != nil {
		seconds, offset := m[3], strings.ToUpper(m[4])
		if seconds == "" {
			seconds = ":00"
		}
		if offset == "" {
			offset = "Z"
		}
		if len(offset) == 5 {
			offset = offset[:3] + ":" + offset[3:]
		}
		return m[1] + "T" + m[2] + seconds + offset
	}
	if d := nearDuration(strings.TrimPrefix(s, "+")); d != "" {
		return "+" + d
	}
	if _, err := parseDuration(s); err == nil {
		return "+" + s
	}
	return ""
}

// near returns s with the unit that was most likely meant, "" if that cannot be
// told. bare is the unit of a number without one.
func near(s, bare string, units ...string) string {
	m := numberUnit.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return ""
	}
	if m[2] == "" {
		return m[1] + bare
	}
	word, found := strings.ToLower(m[2]), ""
	for _, u := range units {
		name, symbol, _ := strings.Cut(u, "=")
		if symbol == "" {
			symbol = name
		}
		if strings.ToLower(name) == word || strings.ToLower(name)+"s" == word {
			if found != "" && found != symbol {
				return "" // mw is a megawatt or a milliwatt
			}
			found = symbol
		}
	}
	if found == "" {
		return ""
	}
	return m[1] + found
}

func nearPower(s string) string {
	return near(s, "W", "mW", "W", "kW", "MW", "watt=W", "kilowatt=kW", "megawatt=MW")
}

func nearWatts(s string) string {
	if p, err := grid.ParsePower(cmp.Or(near(s, "W", "W", "kW", "watt=W", "kilowatt=kW"), s)); err == nil && p%grid.Watt == 0 {
		return strconv.FormatInt(int64(p/grid.Watt), 10)
	}
	return ""
}

func nearEnergy(s string) string {
	return near(s, "kWh", "J", "kJ", "MJ", "Wh", "kWh", "MWh", "joule=J", "kw/h=kWh")
}

func nearCarbon(s string) string {
	return near(s, "kgCO2e", "mgCO2e", "gCO2e", "kgCO2e", "tCO2e", "mg", "g", "kg", "t", "kgCO2=kgCO2e", "gCO2=gCO2e", "tCO2=tCO2e", "gram=g", "kilogram=kg", "tonne=t", "ton=t")
}

func nearMemory(s string) string {
	return near(s, "GiB", "KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB", "K=KiB", "M=MiB", "G=GiB", "T=TiB", "Ki=KiB", "Mi=MiB", "Gi=GiB", "Ti=TiB")
}

func nearMoney(s string) string {
	return near(strings.NewReplacer("€", "EUR", "$", "USD", "£", "GBP").Replace(s), " EUR", "EUR= EUR", "USD= USD", "GBP= GBP", "euro= EUR", "dollar= USD", "pound= GBP", "CHF= CHF")
}

// nearCarbonPrice reads 80 EUR, and 80 € per tonne, as 80 EUR/t.
func nearCarbonPrice(s string) string {
	for _, per := range []string{"/t", "/tCO2e", "/tCO2", "/tonne", "/ton", " per tonne", " per ton", " per t"} {
		if amount, ok := strings.CutSuffix(s, per); ok {
			s = amount
			break
		}
	}
	if m := nearMoney(s); m != "" {
		return m + "/t"
	}
	return s + "/t"
}

// nearShare reads 5 as 5% and 0.05 as 5% too.
func nearShare(s string) string {
	f, ok := decimal(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")))
	switch {
	case !ok:
		return ""
	case f > 100:
		return "100%"
	case f < 1 && !strings.Contains(s, "%"):
		f *= 100
	}
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) + "%"
}

// nearDuration reads 6 as 6h, 90 minutes as 90m, and 06:30:00 as 6h30m.
func nearDuration(s string) string {
	if m := clockForm.FindStringSubmatch(strings.TrimSpace(s)); m != nil {
		d, err := time.ParseDuration(m[1] + "h" + m[2] + "m" + cmp.Or(m[3], "0") + "s")
		if err != nil {
			return ""
		}
		return length(d)
	}
	return near(s, "h", "s", "m", "h", "d", "w", "sec=s", "second=s", "min=m", "minute=m", "hr=h", "hour=h", "day=d", "week=w")
}

// length writes d as people do: 6h36m.
func length(d time.Duration) string {
	if d < 0 {
		return "-" + length(-d)
	}
	const day = 24 * time.Hour
	if d >= 3*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	if d >= 3*day {
		return strconv.Itoa(int(d/day)) + "d" + length(d%day)
	}
	s := d.Truncate(time.Millisecond).String()
	s = strings.TrimSuffix(s, "m0s")
	if len(s) < len(d.Truncate(time.Millisecond).String()) {
		s += "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}

// upTo rounds d up to a multiple of step.
func upTo(d, step time.Duration) time.Duration {
	if rest := d % step; rest > 0 {
		return d - rest + step
	}
	return d
}

// ceilSecond rounds t up to a whole second; the zero time stays zero.
func ceilSecond(t time.Time) time.Time { return ceilTime(t, time.Second) }

func ceilMinute(t time.Time) time.Time { return ceilTime(t, time.Minute) }

func ceilTime(t time.Time, step time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	if down := t.Truncate(step); !down.Equal(t) {
		return down.Add(step)
	}
	return t
}
