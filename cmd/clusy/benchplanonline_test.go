package main

import (
	"io"
	"testing"

	"github.com/spf13/pflag"
)

// The rows whose jobs are not known beforehand, with fewer of them: nobody who is
// admitted is late, and a site that dies is felt.
func TestBenchOnline(t *testing.T) {
	var f recipeFlags
	f.add(pflag.NewFlagSet("", pflag.ContinueOnError))
	for _, row := range f.rowsOfTheTable() {
		if row.online == nil {
			continue
		}
		row.intents, row.slots = 120, 48
		r := &planRow{Instance: row.name}
		w, err := row.make(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		b := benchPlan{workers: 2, repeat: 1, out: io.Discard}
		if err := b.measure(r, w, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.measureOnline(t.Context(), r, &row, w); err != nil {
			t.Fatal(err)
		}
		o := r.Online
		if o.Late != 0 || o.Plans == 0 || o.Saved == nil {
			t.Errorf("%s: %+v", row.name, o)
		}
		if row.online.dies == (o.Hit == 0) {
			t.Errorf("%s: %d jobs had their place at a site that died", row.name, o.Hit)
		}
		// Among so few each job matters, and what is expected is not what comes.
		if !row.online.dies && (o.Share == nil || *o.Share < 0.5) {
			t.Errorf("%s: %+v of what the plan that knows all saves", row.name, o)
		}
	}
}

// Enclaves that show nobody their jobs plan the row together; what they come to
// is a plan, and its bound follows from the prices.
func TestBenchPrivate(t *testing.T) {
	var f recipeFlags
	f.add(pflag.NewFlagSet("", pflag.ContinueOnError))
	for _, row := range f.rowsOfTheTable() {
		if row.private == nil {
			continue
		}
		row.intents, row.private = 1500, &privateTrial{enclaves: 5, rounds: 10}
		r := &planRow{Instance: row.name}
		w, err := row.make(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		b := benchPlan{workers: 2, repeat: 1, out: io.Discard}
		if err := b.measure(r, w, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.measurePrivate(r, &row, w); err != nil {
			t.Fatal(err)
		}
		p := r.Private
		if p.Rounds != 10 || p.Enclaves != 5 || p.Up == 0 || p.Up > 10_000 || p.Down == 0 || p.Down > 10_000 || !(p.Gap >= r.Gap/2) || p.Gap > 0.1 {
			t.Errorf("%+v", p)
		}
	}
}
