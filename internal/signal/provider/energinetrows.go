package provider

import (
	"fmt"
	"math"
	"time"
)

// dataset is what differs between the datasets of Energi Data Service.
type dataset struct {
	name   string
	column string // of times, by which it is sorted
	step   time.Duration
}

var (
	danishCO2      = dataset{"CO2Emis", "Minutes5UTC", 5 * time.Minute}
	danishForecast = dataset{"CO2EmisProg", "Minutes5UTC", 5 * time.Minute}
	danishPrices   = dataset{"DayAheadPrices", "TimeUTC", 15 * time.Minute} // from 2025-10-01
	danishSpot     = dataset{"Elspotprices", "HourUTC", time.Hour}          // before
)

// quarterHours is since when Danish prices are of quarter hours: the first
// delivery day, in Danish time.
var quarterHours = time.Date(2025, 9, 30, 22, 0, 0, 0, time.UTC)

// decodeEnerginet reads one answer. Its times are in UTC and do not say so.
func decodeEnerginet(a answer, d dataset, area string) (samples []told, total int, err error) {
	var doc struct {
		Total   int    `json:"total"`
		Dataset string `json:"dataset"`
		Records []struct {
			Minutes string   `json:"Minutes5UTC"`
			Time    string   `json:"TimeUTC"`
			Hour    string   `json:"HourUTC"`
			Area    string   `json:"PriceArea"`
			CO2     *float64 `json:"CO2Emission"`
			Price   *float64 `json:"DayAheadPriceEUR"`
			Spot    *float64 `json:"SpotPriceEUR"`
		} `json:"records"`
	}
	if err := decode(a, &doc); err != nil {
		return nil, 0, err
	}
	if doc.Dataset != d.name {
		return nil, 0, fmt.Errorf("dataset is %s, want %s", clip(doc.Dataset), d.name)
	}
	if doc.Total < len(doc.Records) {
		return nil, 0, partial(doc.Total, len(doc.Records))
	}
	for i, r := range doc.Records {
		when, value := r.Minutes, r.CO2
		switch d {
		case danishPrices:
			when, value = r.Time, r.Price
		case danishSpot:
			when, value = r.Hour, r.Spot
		}
		at, err := time.Parse("2006-01-02T15:04:05", when)
		if err != nil {
			return nil, 0, fmt.Errorf("record %d: its time is %s, want one as 2026-01-31T14:05:00, in UTC", i+1, clip(when))
		}
		if r.Area != area {
			return nil, 0, fmt.Errorf("record %d: PriceArea is %s, want %s", i+1, clip(r.Area), area)
		}
		s := told{at: at, value: math.NaN()}
		if value != nil {
			s.value = *value
		}
		samples = append(samples, s)
	}
	return samples, doc.Total, nil
}

// partial is the error of an answer that holds less than it says there is.
func partial(total, got int) error {
	return fmt.Errorf("total is %d, and there are %d records", total, got)
}
