package main

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// small is an instance of two sites and three intents. The best plan: third
// waits for the sun, second goes to the clean grid, first must run now.
var small = map[string]string{
	metaFile:   `{"slot_minutes": 30}`,
	carbonFile: "slot,DE,NO\n0,400,20\n1,300,20\n2,,20\n3,100,20\n",
	sitesFile:  "site,zone,cpus,pue\nberlin,DE,8,1.5\noslo,NO,4,1.1\n",
	intentsFile: "id,release_slot,complete_by_slot,duration_slots,cpus,watts,kind,zones,home\n" +
		"first,0,1,1,8,1000,rigid,DE,berlin\n" +
		"second,0,4,2,4,1000,rigid,,DE\n" +
		"third,1.0,4,2,4,1000,Interruptible,DE,\n",
}

func dirOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// An instance's files mean what the help says.
func TestReadWorld(t *testing.T) {
	d, err := readWorld(dirOf(t, small))
	if err != nil {
		t.Fatal(err)
	}
	in := d.Instance()
	if got := in.Cost[0][3]; got != 100*1.5*0.5 {
		t.Errorf("a kilowatt through slot 3 in berlin emits %v g", got)
	}
	if !math.IsNaN(in.Cost[0][2]) {
		t.Errorf("slot 2 in DE emits %v g, and it is unknown", in.Cost[0][2])
	}
	s := fleet.Solve(in, fleet.Options{})
	if err := fleet.Verify(in, &s); err != nil {
		t.Fatal(err)
	}
	// first 400 × 1.5 ÷ 2; second twice 20 × 1.1 ÷ 2; third in slots 1 and 3.
	if want := 300 + 22 + 300.; math.Abs(s.Cost-want) > 1e-9 || s.Unplaced != 0 {
		t.Errorf("it costs %v g with %d unplaced, want %v g", s.Cost, s.Unplaced, want)
	}
	want := []world.Intent{
		{Release: 0, Due: 1, Need: 1, Region: 1, Home: 0, CPUs: 8, Watts: 1000},
		{Release: 0, Due: 4, Need: 2, Region: 0, Home: 0, CPUs: 4, Watts: 1000},
		{Release: 1, Due: 4, Need: 2, Region: 1, Home: -1, CPUs: 4, Watts: 1000, Pauses: true},
	}
	if !reflect.DeepEqual(d.Intents, want) {
		t.Errorf("read %+v", d.Intents)
	}
}

// What is read is what was written, to the last digit, and so the plan is the
// same.
func TestWorldRoundTrip(t *testing.T) {
	r := world.Recipe{Seed: 3, Intents: 500, Slot: 15 * time.Minute, Zones: []string{"A", `B, "the second"`}, SitesPerZone: 1, PUE: []float64{1.1, 1.25},
		Utilisation: 0.7, Jobs: world.Tails["pai"], Slack: world.Slack{Queue: true}, Rigid: 0.4, Movable: 0.6, Watts: 7.3}
	for z := range 2 {
		row := make([]float64, 96)
		for s := range row {
			row[s] = 100*float64(z+1) + math.Sqrt(float64(s))
		}
		row[50+z] = math.NaN()
		r.Carbon = append(r.Carbon, row)
	}
	for _, perZone := range []int{1, 3} {
		r.SitesPerZone = perZone
		w, err := r.Make()
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "made")
		if err := writeWorld(dir, w); err != nil {
			t.Fatal(err)
		}
		d, err := readWorld(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d.ID(7) != "i7" || d.Clamped != 0 {
			t.Errorf("intent 7 is %s, %d clamped", d.ID(7), d.Clamped)
		}
		mine, read := w.Instance(), d.Instance()
		if math.IsNaN(mine.Cost[0][50]) != math.IsNaN(read.Cost[0][50]) {
			t.Error("what was unknown is known")
		}
		a, b := fleet.Solve(mine, fleet.Options{}), fleet.Solve(read, fleet.Options{})
		if a.Cost != b.Cost || a.Bound != b.Bound || a.Missing != b.Missing {
			t.Errorf("cost %v, bound %v, missing %v; read back %v, %v, %v", a.Cost, a.Bound, a.Missing, b.Cost, b.Bound, b.Missing)
		}
		for j := range w.Intents {
			w.Intents[j].Region, d.Intents[j].Region = 0, 0 // numbered otherwise
		}
		if !reflect.DeepEqual(w.Intents, d.Intents) || !reflect.DeepEqual(w.Sites, d.Sites) || w.Slot != d.Slot {
			t.Error("what is read is not what was written")
		}
	}
}

// Nothing in the files is believed: each mistake is named with its place and a
// way out.
func TestHostileWorld(t *testing.T) {
	intent := func(line string) string {
		return strings.SplitN(small[intentsFile], "\n", 2)[0] + "\n" + line + "\n"
	}
	for name, c := range map[string]struct{ file, text, want string }{
		"no file":           {intentsFile, "", "intents.csv is not there; an instance is a directory with meta.json"},
		"meta is a list":    {metaFile, `[60]`, "meta.json: json: cannot unmarshal array"},
		"meta is not JSON":  {metaFile, `slot_minutes: 60`, "it holds one object"},
		"meta is huge":      {metaFile, strings.Repeat(" ", 1<<20+1), "more than 1048576 bytes"},
		"no slot":           {metaFile, `{"name": "x", "slots": 168}`, `no length of a slot, only "name", "slots": give {"slot_minutes": 60}`},
		"slot of what":      {metaFile, `{"slot_length": 15}`, "slot_length is 15, and of what is not said"},
		"slot of nothing":   {metaFile, `{"slot_minutes": 0}`, "slot_minutes is 0: give a slot of 1 minute to 24 hours"},
		"slot of weeks":     {metaFile, `{"slot_hours": 168}`, "slot_hours is 168: give a slot of 1 minute to 24 hours"},
		"slot is false":     {metaFile, `{"slot_minutes": false}`, "slot_minutes is false: give a number"},
		"slot is a word":    {metaFile, `{"slot_minutes": "many"}`, `slot_minutes is "many": give a number`},
		"slot is a long":    {metaFile, `{"slotLength": "long"}`, `slotLength is "long": give a time as "15m"`},
		"slots disagree":    {metaFile, `{"slot_minutes": 60, "slot_seconds": 60}`, "slot_minutes says 1h0m0s and slot_seconds says 1m0s: leave one of them out"},
		"empty":             {carbonFile, " ", "carbon.csv: line 1"},
		"no slots":          {carbonFile, "slot,DE,NO\n", "it has no slots"},
		"no zones":          {carbonFile, "slot\n0\n", "it has 0 zones; give a column for each"},
		"no slot column":    {carbonFile, "time,DE\n0,1\n", `line 1: there is no column slot; want slot, found "time", "DE"`},
		"zone twice":        {carbonFile, "slot,DE,DE\n0,1,1\n", `two columns "DE"`},
		"zone without name": {carbonFile, "slot,DE,\n0,1,1\n", "column 3 has no name"},
		"zone with a bell":  {carbonFile, "slot,DE,a\ab\n0,1,1\n", "is no name"},
		"slots from 1":      {carbonFile, "slot,DE,NO\n1,1,1\n", "line 2, slot: 1 comes where 0 should"},
		"slot missing":      {carbonFile, "slot,DE,NO\n0,1,1\n2,1,1\n", "line 3, slot: 2 comes where 1 should"},
		"short row":         {carbonFile, "slot,DE,NO\n0,1\n", "line 2: 2 cells, want 3"},
		"carbon of words":   {carbonFile, "slot,DE,NO\n0,1,low\n", `line 2, NO: "low" is no number of -100000 to 100000, in g/kWh; leave it empty if it is unknown`},
		"carbon without":    {carbonFile, "slot,DE,NO\n0,1,Inf\n", `"Inf" is no number`},
		"open quote":        {carbonFile, "slot,DE,NO\n0,1,\"2\n", "line 2, column"},
		"no sites":          {sitesFile, "site,zone,cpus,pue\n", "it has no sites"},
		"site twice":        {sitesFile, "site,zone,cpus,pue\na,DE,1,1\na,NO,1,1\n", `line 3, site: "a" is there twice`},
		"site nowhere":      {sitesFile, "site,zone,cpus,pue\na,FR,1,1\n", `line 2, zone: "FR" has no column in carbon.csv; it has "DE", "NO"`},
		"less than nothing": {sitesFile, "site,zone,cpus,pue\na,DE,-1,1\n", `line 2, cpus: "-1" is no number of 0 to 1e+09`},
		"pue unknown":       {sitesFile, "site,zone,cpus,pue\na,DE,1,\n", "line 2, pue: it is empty, and what is unknown cannot be planned; give a number of 1 to 10, 1 if"},
		"pue below 1":       {sitesFile, "site,zone,cpus,pue\na,DE,1,0.5\n", `line 2, pue: "0.5" is no number of 1 to 10`},
		"sites no column":   {sitesFile, "site,zone,cpus\na,DE,1\n", "there is no column pue"},
		"no intents":        {intentsFile, intent(""), "it has no intents"},
		"intents no column": {intentsFile, "id\na\n", "there is no column release_slot"},
		"id twice":          {intentsFile, intent("a,0,4,1,1,1,rigid,,\na,0,4,1,1,1,rigid,,"), `line 3, id: "a" is there twice`},
		"id empty":          {intentsFile, intent(",0,4,1,1,1,rigid,,"), "line 2, id: it is empty"},
		"id too long":       {intentsFile, intent(strings.Repeat("a", 201) + ",0,4,1,1,1,rigid,,"), "has 201 bytes, a name has 200 at most"},
		"release below 0":   {intentsFile, intent("a,-1,4,1,1,1,rigid,,"), `line 2, release_slot: "-1" is no whole number of 0 to 1000000000`},
		"due by halves":     {intentsFile, intent("a,0,1.5,1,1,1,rigid,,"), `complete_by_slot: "1.5" is no whole number`},
		"no duration":       {intentsFile, intent("a,0,4,,1,1,rigid,,"), "duration_slots: it is empty"},
		"no work":           {intentsFile, intent("a,0,4,0,1,1,rigid,,"), `duration_slots: "0" is no whole number of 1`},
		"cpus NaN":          {intentsFile, intent("a,0,4,1,NaN,1,rigid,,"), `cpus: "NaN" is no number`},
		"watts unknown":     {intentsFile, intent("a,0,4,1,1,,rigid,,"), "watts: it is empty, and what is unknown cannot be planned"},
		"another kind":      {intentsFile, intent("a,0,4,1,1,1,elastic,,"), `kind: "elastic" is no kind: give rigid or interruptible`},
		"zone of nobody":    {intentsFile, intent("a,0,4,1,1,1,rigid,DE|FR,"), `zones: "FR" is no zone of carbon.csv; it has "DE", "NO"`},
		"home of nobody":    {intentsFile, intent("a,0,4,1,1,1,rigid,,paris"), `home: "paris" is no site of sites.csv`},
		"long cell":         {intentsFile, intent("a,0,4,1,1,1," + strings.Repeat("x", 100) + ",,"), `"` + strings.Repeat("x", 40) + `…" is no kind`},
		"zone without site": {sitesFile, "site,zone,cpus,pue\na,NO,1,1\n", `zones: no site is in "DE"; give it one in sites.csv`},
	} {
		files := maps.Clone(small)
		if files[c.file] = c.text; c.text == "" {
			delete(files, c.file)
		}
		_, err := readWorld(dirOf(t, files))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want …%s…", name, err, c.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), c.file) && name != "zone without site" {
			t.Errorf("%s: %v does not name %s", name, err, c.file)
		}
		if exitCode(err) != exitUsage {
			t.Errorf("%s: exit code %d", name, exitCode(err))
		}
	}
}

// An intent that is due after the last slot is planned within those there are,
// and one that cannot be done has no place.
func TestWorldClamped(t *testing.T) {
	files := maps.Clone(small)
	files[intentsFile] += "fourth,9,12,1,1,1,rigid,,\nfifth,3,9,1,1,1000,rigid,NO|DE,oslo\nsixth,0,2,3,1,1,interruptible,,\n"
	d, err := readWorld(dirOf(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if d.Clamped != 2 || d.Intents[4].Due != 4 {
		t.Errorf("%d clamped, the fifth is due in slot %d", d.Clamped, d.Intents[4].Due)
	}
	in := d.Instance()
	s := fleet.Solve(in, fleet.Options{})
	if err := fleet.Verify(in, &s); err != nil || s.Unplaced != 2 || len(s.Of(4)) != 1 {
		t.Errorf("%v; %d unplaced, the fifth runs in %v", err, s.Unplaced, s.Of(4))
	}
}

func TestSlotLength(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`{"slot_minutes": 15}`: 15 * time.Minute, `{"slot_seconds": 900}`: 15 * time.Minute, `{"slotMinutes": 15}`: 15 * time.Minute,
		`{"slot_hours": 0.25}`: 15 * time.Minute, `{"slot_length_minutes": 15, "slots": 96}`: 15 * time.Minute, `{"slotLengthSeconds": "900"}`: 15 * time.Minute,
		`{"slot_min": 15}`: 15 * time.Minute, `{"slot-length-h": 1}`: time.Hour, `{"slot_s": 3600}`: time.Hour, `{"slotDurationHours": 1}`: time.Hour,
		`{"slotLength": "15m"}`: 15 * time.Minute, `{"slot": "PT15M"}`: 15 * time.Minute, `{"slot_length": "1 hour"}`: time.Hour, `{"slot_length": "15 min"}`: 15 * time.Minute,
		`{"minutes_per_slot": 15}`: 15 * time.Minute, `{"dt_hours": 1}`: time.Hour,
		`{"step_minutes": 5}`: 5 * time.Minute, `{"time_step_minutes": 5}`: 5 * time.Minute, `{"slot_minutes": 60, "slot_seconds": 3600}`: time.Hour,
	} {
		var all map[string]any
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		if got, err := slotLength(all); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"slot_minutes": 1e300}`, `{"slot_minutes": -5}`, `{"slots_minutes_max": 5}`, `{"slot_count": 5}`, `{"slot_minutes": null}`, `{}`} {
		var all map[string]any
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		if got, err := slotLength(all); err == nil {
			t.Errorf("%s is taken for %s", text, got)
		}
	}
}

// FuzzWorld: whatever stands in the files, reading them ends in an error or in
// an instance.
func FuzzWorld(f *testing.F) {
	f.Add(small[metaFile], small[carbonFile], small[sitesFile], small[intentsFile])
	f.Add(`{"slot":"PT1H"}`, "\ufeffslot,\"a b\"\n0,-1\n", "site,zone,cpus,pue,x\n\"s,1\",a b,1e3,1,y\n", small[intentsFile])
	f.Fuzz(func(t *testing.T, meta, carbon, sites, intents string) {
		d := worldDir{World: &world.World{}}
		for _, file := range []struct {
			read func(*worldDir) error
		}{
			{func(d *worldDir) error { return d.readMeta(strings.NewReader(meta)) }},
			{func(d *worldDir) error { return d.readCarbon(strings.NewReader(carbon)) }},
			{func(d *worldDir) error { return d.readSites(strings.NewReader(sites)) }},
			{func(d *worldDir) error { return d.readIntents(strings.NewReader(intents)) }},
		} {
			if file.read(&d) != nil {
				return
			}
		}
		if err := d.Instance().Validate(); err != nil {
			t.Error(err)
		}
	})
}
