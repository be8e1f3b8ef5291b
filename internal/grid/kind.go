package grid

// Kind tells what was measured from what is expected.
type Kind string

const (
	Measured Kind = "measured"
	Forecast Kind = "forecast"
)
