package grid

// Kind tells what was measured from what is expected.
type Kind string

const (
	Measured Kind = "measured"
	Forecast Kind = "forecast" // made by us, and in use: what plans are made on
	Issued   Kind = "issued"   // a provider's forecast as issued: its track record, and evidence
	Price    Kind = "price"    // what Prices are stored as
)
