package plan

// MostAtOnce is how many workloads a site is promised to run at once at most,
// however much capacity it has. An agent reports on all that its site has in its
// hands in each call, at most 500: these, what it holds for later, and what has
// ended and is not booked yet.
const MostAtOnce = 384

// InHands returns the sites as work may be planned on them: each with at most so
// many slots. What is promised beyond what a site can have in its hands would be
// late, and nobody would know before. All who plan must see the sites so.
func InHands(sites []Site, most int64) []Site {
	out := make([]Site, len(sites))
	for i, s := range sites {
		s.Capacity.Slots = min(s.Capacity.Slots, most)
		out[i] = s
	}
	return out
}
