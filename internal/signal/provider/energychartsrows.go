package provider

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// charts is one answer of Energy-Charts: columns of one length.
type charts struct {
	Seconds    []int64    `json:"unix_seconds"`
	Measured   []*float64 `json:"co2eq"`
	Forecast   []*float64 `json:"co2eq_forecast"`
	Price      []*float64 `json:"price"`
	Unit       string     `json:"unit"`
	Deprecated bool       `json:"deprecated"`
}

// firstMillis is a count of seconds that no source means: year 5138 in seconds,
// 1973 in milliseconds.
const firstMillis = 100_000_000_000

func decodeCharts(a answer) (charts, error) {
	var c charts
	if err := decode(a, &c); err != nil {
		return charts{}, err
	}
	if len(c.Seconds) == 0 && len(c.Measured)+len(c.Forecast)+len(c.Price) > 0 {
		return charts{}, errors.New("there are values and no unix_seconds")
	}
	for i, s := range c.Seconds {
		if s <= 0 {
			return charts{}, fmt.Errorf("unix_seconds %d is %d, want a time", i+1, s)
		}
		if s >= firstMillis {
			return charts{}, fmt.Errorf("unix_seconds %d is %d, which is no time in seconds; are they milliseconds?", i+1, s)
		}
	}
	return c, nil
}

// column pairs the times with one of the columns.
func (c charts) column(name string, values []*float64) ([]told, error) {
	if len(values) != len(c.Seconds) {
		return nil, fmt.Errorf("unix_seconds has %d entries, %s has %d", len(c.Seconds), name, len(values))
	}
	var samples []told
	for i, v := range values {
		s := told{at: time.Unix(c.Seconds[i], 0).UTC(), value: math.NaN()}
		if v != nil {
			s.value = *v
		}
		samples = append(samples, s)
	}
	return samples, nil
}

func (c charts) measured() ([]told, error) { return c.column("co2eq", c.Measured) }

func (c charts) forecast() ([]told, error) {
	if len(c.Forecast) == 0 { // some countries have none
		return nil, nil
	}
	return c.column("co2eq_forecast", c.Forecast)
}

func (c charts) prices() ([]told, error) {
	if c.Unit != "EUR / MWh" && c.Unit != "EUR/MWh" {
		if len(c.Seconds) == 0 {
			return nil, nil
		}
		return nil, fmt.Errorf("unit is %s, want EUR / MWh", clip(c.Unit))
	}
	return c.column("price", c.Price)
}
