package fleet

import (
	"math"
	"strings"
	"testing"
)

// rulesWorld is a world with a job for each rule, and a plan that keeps them.
func rulesWorld() (*Instance, [][]Run) {
	in := &Instance{Things: []string{"cpu"}, Sites: []Site{{ID: "a"}, {ID: "b"}}}
	for range 10 {
		in.Hours = append(in.Hours, 1)
	}
	grams, money := make([]float64, 20), make([]float64, 20)
	room := make([]float64, 20)
	for c := range grams {
		grams[c], money[c], room[c] = float64(10+c), 2, 8
	}
	grams[9] = math.NaN()
	in.Cost, in.Room = [][]float64{grams, money}, [][]float64{room}
	in.Denied = [][]Span{{{2, 4}}}
	in.Ramp = [][]float64{{6, math.Inf(1)}}
	in.After = [][2]int32{{0, 5}}
	in.Arrays = []Array{{Jobs: []int32{7, 8}, Most: 1}}
	a := Way{Site: 0, Need: 2, KW: 1, Use: []float64{1}}
	b := Way{Site: 1, Need: 2, KW: 1, Use: []float64{1}, From: 1, Fixed: 3}
	long := Way{Site: 0, Need: 4, KW: 1, Use: []float64{1}}
	far := Way{Site: 1, Need: 4, KW: 1, Use: []float64{1}}
	in.Jobs = []Job{
		{Release: 1, Due: 8, Ways: []Way{a, b}},
		{Kind: Interruptible, Due: 10, Resume: 1, MinRun: 2, Pauses: 1, Ways: []Way{long}},
		{Kind: Elastic, Due: 10, Levels: []Level{{Rate: 1, KW: 1, Use: []float64{1}}, {Rate: 1.5, KW: 2, Use: []float64{2}}}, Ways: []Way{long}},
		{Kind: Interruptible, Due: 10, Moves: []Move{{From: 0, To: 1, Lost: 1, Fixed: 2}, {From: 1, To: 0}}, MostMoves: 1, Ways: []Way{long, far}},
		{Due: 10, Ceilings: []Ceiling{{Table: 0, Most: 28}, {Table: 1, Most: 4}}, Ways: []Way{a, b}},
		{Due: 10, Ways: []Way{a}},
		{Due: 10, Denied: 1, Ways: []Way{a}},
		{Due: 10, Ways: []Way{a}},
		{Due: 10, Ways: []Way{a}},
	}
	for j := range in.Jobs {
		in.Jobs[j].Missing = 1000
	}
	return in, [][]Run{
		{{From: 1, To: 3}},
		{{From: 0, To: 2}, {From: 4, To: 7}},
		{{From: 0, To: 2, Level: 1}, {From: 2, To: 3}},
		{{From: 0, To: 2}, {From: 3, To: 5, Way: 1}},
		{{From: 3, To: 5}},
		{{From: 3, To: 5}},
		{{From: 4, To: 6}},
		{{From: 5, To: 7}},
		{{From: 7, To: 9}},
	}
}

// planOf adds runs up as a plan that says the truth about itself.
func planOf(in *Instance, runs [][]Run) Solution {
	s := Solution{First: []uint32{0}}
	for j, rs := range runs {
		s.Runs = append(s.Runs, rs...)
		s.First = append(s.First, uint32(len(s.Runs)))
		if len(rs) == 0 {
			s.Unplaced++
			s.Missing += in.Jobs[j].Missing
			continue
		}
		d := newDesk(in)
		d.sit(j)
		known := true
		for _, r := range rs {
			if r.Way < 0 || int(r.Way) >= len(in.Jobs[j].Ways) || r.Level < 0 || int(r.Level) >= max(1, len(in.Jobs[j].Levels)) || r.From < 0 || int(r.To) > in.Slots() {
				known = false
			}
		}
		if known {
			cost, _ := d.settle(rs)
			s.Cost += cost
		}
	}
	return s
}

// Each rule, broken by itself, is what Verify complains of.
func TestVerifyCatches(t *testing.T) {
	in, runs := rulesWorld()
	if err := in.Validate(); err != nil {
		t.Fatal(err)
	}
	s := planOf(in, runs)
	if err := Verify(in, &s); err != nil {
		t.Fatal(err)
	}
	set := func(j int, rs ...Run) func(*Instance, [][]Run, *Solution) {
		return func(in *Instance, runs [][]Run, s *Solution) {
			runs[j] = rs
			*s = planOf(in, runs)
		}
	}
	for name, c := range map[string]struct {
		breaks func(*Instance, [][]Run, *Solution)
		want   string
	}{
		"too early":               {set(0, Run{From: 0, To: 2}), "is not in [1, 8)"},
		"too late":                {set(0, Run{From: 7, To: 9}), "is not in [1, 8)"},
		"before its data":         {set(4, Run{From: 0, To: 2, Way: 1}), "is not in [1, 10)"},
		"too short":               {set(0, Run{From: 1, To: 2}), "runs for 1 slots, not 2"},
		"too long":                {set(0, Run{From: 1, To: 4}), "runs for 3 slots, not 2"},
		"rigid in two":            {set(0, Run{From: 1, To: 2}, Run{From: 3, To: 4}), "pauses 1 times"},
		"no such way":             {set(0, Run{From: 1, To: 3, Way: 2}), "has no way 2"},
		"a way below zero":        {set(0, Run{From: 1, To: 3, Way: -1}), "has no way -1"},
		"an empty run":            {set(0, Run{From: 2, To: 2}, Run{From: 3, To: 5}), "is not in"},
		"no overhead":             {set(1, Run{From: 0, To: 2}, Run{From: 4, To: 6}), "runs for 4 slots, not 5"},
		"a short run":             {set(1, Run{From: 0, To: 1}, Run{From: 4, To: 8}), "is shorter than 2"},
		"too many pauses":         {set(1, Run{From: 0, To: 2}, Run{From: 3, To: 5}, Run{From: 6, To: 8}), "pauses 2 times"},
		"runs that touch":         {set(1, Run{From: 0, To: 2}, Run{From: 2, To: 5}), "are not apart"},
		"runs that overlap":       {set(1, Run{From: 0, To: 3}, Run{From: 2, To: 4}), "are not apart"},
		"runs in the wrong order": {set(1, Run{From: 4, To: 7}, Run{From: 0, To: 2}), "are not apart"},
		"too little elastic work": {set(2, Run{From: 0, To: 2, Level: 1}), "does 3 slots of work of 4"},
		"no such level":           {set(2, Run{From: 0, To: 4, Level: 2}), "has no level 2"},
		"a level below zero":      {set(2, Run{From: 0, To: 4, Level: -1}), "has no level -1"},
		"a move that is not":      {set(0, Run{From: 1, To: 2}, Run{From: 3, To: 4, Way: 1}), "changes from way 0 to way 1"},
		"a move too fast":         {set(3, Run{From: 0, To: 2}, Run{From: 2, To: 4, Way: 1}), "takes 1"},
		"too many moves":          {set(3, Run{From: 0, To: 1}, Run{From: 2, To: 3, Way: 1}, Run{From: 3, To: 5}), "moves 2 times"},
		"over the first ceiling":  {set(4, Run{From: 4, To: 6}), "by table 0, at most 28"},
		"over the second ceiling": {set(4, Run{From: 1, To: 3, Way: 1}), "by table 0, at most 28"},
		"too soon after":          {set(5, Run{From: 2, To: 4}), "job 5 begins before job 0 has ended"},
		"after nothing":           {set(0), "job 5 begins before job 0 has ended"},
		"in denied slots":         {set(6, Run{From: 3, To: 5}), "is denied"},
		"an array too wide":       {set(8, Run{From: 6, To: 8}), "more than 1 jobs of array 0 run in slot 6"},
		"where cost is unknown":   {set(8, Run{From: 8, To: 10}), "the cost of slot 9 at a is unknown"},
		"too full": {func(in *Instance, _ [][]Run, _ *Solution) {
			in.Room[0][1] = 4
		}, "cpu in slot 1 at a: 5 is used, and there are 4"},
		"too steep": {func(in *Instance, _ [][]Run, _ *Solution) {
			in.Ramp[0][0] = 1
		}, "rises by"},
		"a false cost":         {func(_ *Instance, _ [][]Run, s *Solution) { s.Cost-- }, "the plan costs"},
		"a false count":        {func(_ *Instance, _ [][]Run, s *Solution) { s.Unplaced++ }, "jobs have no place"},
		"a false charge":       {func(_ *Instance, _ [][]Run, s *Solution) { s.Missing++ }, "jobs have no place"},
		"jobs left out":        {func(_ *Instance, _ [][]Run, s *Solution) { s.First = s.First[:5] }, "the plan is for 4 jobs"},
		"no jobs at all":       {func(_ *Instance, _ [][]Run, s *Solution) { s.First = nil }, "the plan is for -1 jobs"},
		"runs out of range":    {func(_ *Instance, _ [][]Run, s *Solution) { s.First[9] = 99 }, "of 12"},
		"runs that go back":    {func(_ *Instance, _ [][]Run, s *Solution) { s.First[3], s.First[4] = s.First[4], s.First[3] }, "the plan gives it runs"},
		"a ceiling on unknown": {func(in *Instance, _ [][]Run, s *Solution) { in.Cost[1][3] = math.NaN() }, "costs NaN by table 1"},
	} {
		in, runs := rulesWorld()
		s := planOf(in, runs)
		c.breaks(in, runs, &s)
		if err := Verify(in, &s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
}

// What is no instance is refused, and the reason says what is wrong.
func TestValidateKinds(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*Instance)
		want   string
	}{
		"a circle":              {func(in *Instance) { in.After = append(in.After, [2]int32{5, 6}, [2]int32{6, 0}) }, "comes after itself"},
		"after nobody":          {func(in *Instance) { in.After = append(in.After, [2]int32{0, 99}) }, "cannot come after"},
		"denied slots touch":    {func(in *Instance) { in.Denied[0] = append(in.Denied[0], Span{4, 5}) }, "not apart"},
		"denied slots empty":    {func(in *Instance) { in.Denied[0][0].To = 2 }, "is empty"},
		"no such list":          {func(in *Instance) { in.Jobs[0].Denied = 2 }, "list 2 of 1"},
		"an array of none":      {func(in *Instance) { in.Arrays[0].Most = 0 }, "it needs 1"},
		"an array of strangers": {func(in *Instance) { in.Arrays[0].Jobs[1] = 99 }, "has the job 99"},
		"ramps for too many":    {func(in *Instance) { in.Ramp = append(in.Ramp, nil) }, "ramps for 2 things"},
		"ramps for too few":     {func(in *Instance) { in.Ramp[0] = in.Ramp[0][:1] }, "1 sites of 2"},
		"a ramp below zero":     {func(in *Instance) { in.Ramp[0][0] = -1 }, "is -1"},
		"rigid work moves":      {func(in *Instance) { in.Jobs[3].Kind = Rigid }, "only interruptible work may move"},
		"a move to nowhere":     {func(in *Instance) { in.Jobs[3].Moves[0].To = 2 }, "the move is none"},
		"two such moves":        {func(in *Instance) { in.Jobs[3].Moves[1] = in.Jobs[3].Moves[0] }, "two moves"},
		"needs that differ":     {func(in *Instance) { in.Jobs[3].Ways[1].Need = 5 }, "needs 5"},
		"costs of a move":       {func(in *Instance) { in.Jobs[3].Moves[0].By = []float64{1} }, "the move is none"},
		"costs of ways":         {func(in *Instance) { in.Jobs[4].Ceilings[0].Fixed = []float64{1} }, "ceiling"},
	} {
		in, _ := rulesWorld()
		c.breaks(in)
		if err := in.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
}
