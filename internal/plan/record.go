package plan

import "time"

// Decision is one placement as it was decided.
type Decision struct {
	Index     int64 // of its event in the log
	Plan      string
	At        time.Time
	Placement Placement
}

// Station is what the server knows of a site: its Site, and who stands behind it.
type Station struct {
	Site
	Engine      string
	EnclaveKey  []byte // public: what intents for this site are sealed to
	KeyID       string
	Registered  time.Time
	Seen        time.Time
	Incarnation string // of its agent: another journal is another incarnation
	Answered    int64  // the newest question that was answered
}
