package store

import (
	"cmp"
	"fmt"
	"sync"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/store/db"
)

// shelf keeps series that were read lately, so that a plan for a thousand zones
// does not read the same forecasts anew each time. A ref is the digest of its
// series, so what is on the shelf is never out of date. Its readers share the
// values and must not write them: TestNobodyWritesSeries looks at the source,
// appending to them copies (their capacity is their length), and each look at
// all forecasts checks one series of the shelf against its name.
//
// It has two boards. What is read is put on the upper one; when that is full it
// becomes the lower one, and what was on the lower one since then is forgotten.
type shelf struct {
	mu           sync.Mutex
	upper, lower map[string]grid.Series
	numbers      int // on the upper board
	most         int // numbers on a board; 0: boardMost
}

// boardMost is how many numbers a board holds: 1,500 forecasts of 72 hours in
// steps of five minutes with their bands, in 32 MiB.
const boardMost = 4 << 20

// get returns a series that is on the shelf.
func (s *shelf) get(ref string) (grid.Series, bool) {
	if s == nil {
		return grid.Series{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.upper[ref]; ok {
		return x, true
	}
	x, ok := s.lower[ref]
	if ok {
		s.put(x)
	}
	return x, ok
}

// put puts x on the upper board; mu is held.
func (s *shelf) put(x grid.Series) {
	n := len(x.Values) + len(x.Low) + len(x.High) + 64 // and its own fields
	most := cmp.Or(s.most, boardMost)
	if n > most/4 {
		return // years of minutes: nobody reads them twice
	}
	if s.upper == nil || s.numbers+n > most {
		s.upper, s.lower, s.numbers = map[string]grid.Series{}, s.upper, 0
	}
	if _, ok := s.upper[x.Ref]; !ok {
		s.upper[x.Ref] = x
		s.numbers += n
	}
}

// doubt checks some series of the shelf against its name. One that was written
// into is taken off, and is an error: a reader has a bug.
func (s *shelf) doubt() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for ref, x := range s.upper { // in no order, so another one each time
		if x.Digest() != ref {
			delete(s.upper, ref)
			delete(s.lower, ref)
			return fmt.Errorf("series %s of %s was written into by one of its readers", ref, x.Zone)
		}
		break
	}
	return nil
}

// read returns the series of a row, from the shelf if it is there.
func (s *shelf) read(r db.Signal) (grid.Series, error) {
	if x, ok := s.get(r.Ref); ok {
		return x, nil
	}
	x, err := unpack(r)
	if err != nil || s == nil {
		return x, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(x)
	return x, nil
}

// unpack returns the series of a row, if it is what its name says.
func unpack(r db.Signal) (s grid.Series, err error) {
	if len(r.Body) > 0 && r.Body[0] == '{' { // from before there was a binary form
		s, err = decode[grid.Series]("a series", string(r.Body))
	} else {
		err = s.UnmarshalBinary(r.Body)
	}
	if err != nil {
		return grid.Series{}, fmt.Errorf("read series %s of %s: %w", r.Ref, r.Zone, err)
	}
	if s.Ref = r.Ref; s.Digest() != r.Ref {
		return grid.Series{}, fmt.Errorf("series %s of %s is not what its name says: it was changed where it is stored", r.Ref, r.Zone)
	}
	return s, nil
}

// prices returns the prices of a row, if they are what their name says.
func prices(r db.Signal) (p grid.Prices, err error) {
	if err := p.UnmarshalBinary(r.Body); err != nil {
		return grid.Prices{}, fmt.Errorf("read prices %s of %s: %w", r.Ref, r.Zone, err)
	}
	if p.Digest() != r.Ref {
		return grid.Prices{}, fmt.Errorf("prices %s of %s are not what their name says: they were changed where they are stored", r.Ref, r.Zone)
	}
	return p, nil
}
