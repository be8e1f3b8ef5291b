package fleet

// rescue: see below
func (s *solver) rescue() {}
