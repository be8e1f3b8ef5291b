package fleet

// Drawn returns what job j costs if it runs as given.
func (in *Instance) Drawn(j int, runs []Run) float64 { return in.cost(j, runs) }

// Use returns what job j uses of each thing in a run.
func (in *Instance) Use(j int, run Run) []float64 {
	_, use := in.draws(int32(j), run)
	return use
}
