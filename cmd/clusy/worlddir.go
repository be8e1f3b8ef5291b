package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// What a directory may hold at most: each is far above any use.
const (
	mostWorldSlots   = 100_000
	mostWorldZones   = 1_000
	mostWorldSites   = 10_000
	mostWorldCells   = 20_000_000 // slots × sites
	mostWorldIntents = 5_000_000
	mostWorldChoices = 50_000_000 // sites of intents, those of the same shape once
	mostWorldBytes   = 1 << 30    // of a file
	mostWorldName    = 200        // bytes
)

// The files of an instance's directory.
const (
	metaFile    = "meta.json"
	carbonFile  = "carbon.csv"
	sitesFile   = "sites.csv"
	intentsFile = "intents.csv"
)

// worldDir is an instance as its directory has it.
type worldDir struct {
	*world.World
	Digests map[string]string // SHA-256 of each file, as sha256sum prints it
	Clamped int               // intents that are due after the last slot
}

// readWorld reads the directory of an instance. Nothing in it is believed: an
// error names the file, the line, the column, what stands there and what would
// do.
func readWorld(dir string) (worldDir, error) {
	d := worldDir{World: &world.World{}, Digests: map[string]string{}}
	for _, f := range []struct {
		name string
		read func(io.Reader) error
	}{
		{metaFile, d.readMeta}, {carbonFile, d.readCarbon}, {sitesFile, d.readSites}, {intentsFile, d.readIntents},
	} {
		digest, err := readHashed(filepath.Join(dir, f.name), f.read)
		if err != nil {
			return d, usage("%s: %w", f.name, err)
		}
		d.Digests[f.name] = digest
	}
	return d, nil
}

// readHashed lets read have a file, and returns the SHA-256 of all of it.
func readHashed(name string, read func(io.Reader) error) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not there; an instance is a directory with %s, %s, %s and %s", name, metaFile, carbonFile, sitesFile, intentsFile)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	switch st, err := f.Stat(); {
	case err != nil:
		return "", err
	case !st.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", name)
	case st.Size() > mostWorldBytes:
		return "", fmt.Errorf("it has %d bytes; at most %d are read", st.Size(), mostWorldBytes)
	}
	hash := sha256.New()
	all := io.TeeReader(io.LimitReader(f, mostWorldBytes), hash)
	if err := read(all); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, all); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func (d *worldDir) readMeta(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20+1))
	if err != nil {
		return err
	}
	if len(b) > 1<<20 {
		return fmt.Errorf("it has more than %d bytes", 1<<20)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("%w; it holds one object, as {\"slot_minutes\": 60}", err)
	}
	d.Slot, err = slotLength(all)
	return err
}

// slotLength finds the length of a slot in meta.json: a key of words as slot,
// length and a unit, in any common spelling.
func slotLength(all map[string]any) (time.Duration, error) {
	var length time.Duration
	found := ""
	for _, key := range slices.Sorted(maps.Keys(all)) {
		about, unit := slotKey(key)
		if !about {
			continue
		}
		var d time.Duration
		switch v := all[key].(type) {
		case string:
			if unit != 0 {
				n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
				if err != nil {
					return 0, fmt.Errorf("%s is %q: give a number", key, v)
				}
				d = nanoseconds(n, unit)
				break
			}
			var err error
			if d, err = looseDuration(v); err != nil {
				return 0, fmt.Errorf("%s is %q: give a time as \"15m\", \"1h\" or \"PT15M\"", key, v)
			}
		case float64:
			if unit == 0 {
				return 0, fmt.Errorf("%s is %v, and of what is not said: name it slot_minutes or slot_seconds, or give a time as \"15m\"", key, v)
			}
			d = nanoseconds(v, unit)
		default:
			return 0, fmt.Errorf("%s is %v: give a number, as {\"slot_minutes\": 60}", key, all[key])
		}
		if d < time.Minute || d > 24*time.Hour {
			return 0, fmt.Errorf("%s is %v: give a slot of 1 minute to 24 hours", key, all[key])
		}
		if found != "" && d != length {
			return 0, fmt.Errorf("%s says %s and %s says %s: leave one of them out", found, length, key, d)
		}
		found, length = key, d
	}
	if found == "" {
		return 0, fmt.Errorf("it says no length of a slot, only %s: give {\"slot_minutes\": 60}; slot_seconds, slot_hours, slotLength: \"15m\" and the like do too", listOf(slices.Sorted(maps.Keys(all))))
	}
	return length, nil
}

// nanoseconds returns so many units, or 0 if that is no time at all.
func nanoseconds(n float64, unit time.Duration) time.Duration {
	if v := n * float64(unit); v > 0 && v < math.MaxInt64 {
		return time.Duration(math.Round(v))
	}
	return 0
}

// slotKey reports whether a key of meta.json is about the length of a slot, and
// in which unit; 0 is none.
func slotKey(key string) (about bool, unit time.Duration) {
	rest := wordsOf(key)
	if len(rest) == 3 && rest[1] == "per" { // minutes per slot
		rest = []string{rest[2], rest[0]}
	}
	if len(rest) > 1 && rest[0] == "time" {
		rest = rest[1:]
	}
	if len(rest) == 0 || !slices.Contains([]string{"slot", "slotlength", "step", "resolution", "interval", "dt"}, rest[0]) {
		return false, 0
	}
	rest = rest[1:]
	for len(rest) > 0 && slices.Contains([]string{"length", "len", "duration", "size", "in"}, rest[0]) {
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
		return true, 0
	case len(rest) > 1:
		return false, 0
	}
	switch rest[0] {
	case "s", "sec", "secs", "second", "seconds":
		return true, time.Second
	case "m", "min", "mins", "minute", "minutes":
		return true, time.Minute
	case "h", "hr", "hrs", "hour", "hours":
		return true, time.Hour
	}
	return false, 0
}

// wordsOf splits a key at _, -, spaces and capitals: slotLength is slot, length.
func wordsOf(key string) []string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case r == '_' || r == '-' || r == '.':
			r = ' '
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}

func looseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	for long, short := range map[string]string{"minutes": "m", "minute": "m", "min": "m", "hours": "h", "hour": "h", "seconds": "s", "sec": "s"} {
		if n, ok := strings.CutSuffix(s, long); ok {
			return time.ParseDuration(strings.TrimSpace(n) + short)
		}
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	return grid.ParseDuration(s)
}

// listOf lists names for an error: a few, and how many more there are.
func listOf(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	shown := names[:min(len(names), 12)]
	out := make([]string, len(shown))
	for i, n := range shown {
		out[i] = shorten(n)
	}
	text := strings.Join(out, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// shorten quotes what stands in a file for an error.
func shorten(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return strconv.Quote(s)
}

// csvRows reads a CSV file row by row, by the names of its columns.
type csvRows struct {
	r      *csv.Reader
	header []string
	at     map[string]int
	row    []string
	line   int
}

func openRows(r io.Reader) (*csvRows, error) {
	c := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	c.ReuseRecord, c.FieldsPerRecord = true, -1
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty; its first line names the columns")
	}
	if err != nil {
		return nil, csvError(err)
	}
	t := &csvRows{r: c, header: slices.Clone(header), at: map[string]int{}, line: 1}
	for i, name := range t.header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		name = strings.TrimSpace(name)
		if t.header[i] = name; name == "" {
			return nil, fmt.Errorf("line 1: column %d has no name", i+1)
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("line 1, column %d: %w", i+1, err)
		}
		if _, twice := t.at[name]; twice {
			return nil, fmt.Errorf("line 1: there are two columns %s", shorten(name))
		}
		t.at[name] = i
	}
	return t, nil
}

// want returns an error if a column is missing.
func (t *csvRows) want(columns ...string) error {
	for _, name := range columns {
		if _, ok := t.at[name]; !ok {
			return fmt.Errorf("line 1: there is no column %s; want %s, found %s", name, strings.Join(columns, ", "), listOf(t.header))
		}
	}
	return nil
}

// next reads a row; ok is false after the last.
func (t *csvRows) next() (ok bool, err error) {
	row, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, csvError(err)
	}
	t.line, _ = t.r.FieldPos(0)
	if len(row) != len(t.header) {
		return false, fmt.Errorf("line %d: %d cells, want %d as in the first line", t.line, len(row), len(t.header))
	}
	t.row = row
	return true, nil
}

func csvError(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return fmt.Errorf("line %d, column %d: %w", p.Line, p.Column, p.Err)
	}
	return err
}

// fault is an error about a cell of the row.
func (t *csvRows) fault(column, format string, args ...any) error {
	return fmt.Errorf("line %d, %s: %s", t.line, column, fmt.Sprintf(format, args...))
}

func (t *csvRows) text(column string) string { return strings.TrimSpace(t.row[t.at[column]]) }

// name returns a cell that is the name of something.
func (t *csvRows) name(column string) (string, error) {
	s := t.text(column)
	if s == "" {
		return "", t.fault(column, "it is empty; give a name")
	}
	if err := checkName(s); err != nil {
		return "", t.fault(column, "%v", err)
	}
	return strings.Clone(s), nil
}

func checkName(s string) error {
	if len(s) > mostWorldName {
		return fmt.Errorf("%s has %d bytes, a name has %d at most", shorten(s), len(s), mostWorldName)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || strings.Contains(s, "|") {
		return fmt.Errorf("%s is no name: leave out |, line ends and what is no text", shorten(s))
	}
	return nil
}

func (t *csvRows) whole(column string, least, most int) (int, error) {
	s := t.text(column)
	v, err := strconv.Atoi(s)
	if f, e := strconv.ParseFloat(s, 64); err != nil && e == nil && f == math.Trunc(f) && math.Abs(f) <= float64(most) {
		v, err = int(f), nil // 3.0, as some tables have whole numbers
	}
	if err != nil || v < least || v > most {
		if s == "" {
			return 0, t.fault(column, "it is empty, and what is unknown cannot be planned; give a whole number of %d to %d", least, most)
		}
		return 0, t.fault(column, "%s is no whole number of %d to %d", shorten(s), least, most)
	}
	return v, nil
}

func (t *csvRows) number(column string, least, most float64) (float64, error) {
	s := t.text(column)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= least && v <= most) {
		if s == "" {
			return 0, t.fault(column, "it is empty, and what is unknown cannot be planned; give a number of %g to %g", least, most)
		}
		return 0, t.fault(column, "%s is no number of %g to %g", shorten(s), least, most)
	}
	return v, nil
}

func (d *worldDir) readCarbon(r io.Reader) error {
	t, err := openRows(r)
	if err != nil {
		return err
	}
	if err := t.want("slot"); err != nil {
		return err
	}
	for _, name := range t.header {
		if name != "slot" {
			d.Zones = append(d.Zones, name)
		}
	}
	if n := len(d.Zones); n < 1 || n > mostWorldZones {
		return fmt.Errorf("line 1: it has %d zones; give a column for each, 1 to %d", n, mostWorldZones)
	}
	d.Carbon = make([][]float64, len(d.Zones))
	for {
		ok, err := t.next()
		if err != nil {
			return err
		}
		n := d.Slots()
		if !ok {
			if n == 0 {
				return errors.New("it has no slots; give a line for each, the first is slot 0")
			}
			return nil
		}
		if n == mostWorldSlots {
			return fmt.Errorf("line %d: it has more than %d slots", t.line, mostWorldSlots)
		}
		if s, err := t.whole("slot", 0, mostWorldSlots-1); err != nil {
			return err
		} else if s != n {
			return t.fault("slot", "%d comes where %d should: slots are counted from 0, one a line, without a gap", s, n)
		}
		for z, name := range d.Zones {
			v := math.NaN()
			if !slices.Contains([]string{"", "nan", "unknown", "null"}, strings.ToLower(t.text(name))) {
				if v, err = t.number(name, -100_000, 100_000); err != nil {
					return fmt.Errorf("%w, in g/kWh; leave it empty if it is unknown", err)
				}
			}
			d.Carbon[z] = append(d.Carbon[z], v)
		}
	}
}

func (d *worldDir) readSites(r io.Reader) error {
	t, err := openRows(r)
	if err == nil {
		err = t.want("site", "zone", "cpus", "pue")
	}
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		ok, err := t.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		s := world.Site{}
		if s.ID, err = t.name("site"); err != nil {
			return err
		}
		if seen[s.ID] {
			return t.fault("site", "%s is there twice", shorten(s.ID))
		}
		seen[s.ID] = true
		z := slices.Index(d.Zones, t.text("zone"))
		if z < 0 {
			return t.fault("zone", "%s has no column in %s; it has %s", shorten(t.text("zone")), carbonFile, listOf(d.Zones))
		}
		s.Zone = int32(z)
		if s.CPUs, err = t.number("cpus", 0, 1e9); err != nil {
			return err
		}
		if s.PUE, err = t.number("pue", 1, 10); err != nil {
			return fmt.Errorf("%w, 1 if the watts are those at the meter", err)
		}
		if d.Sites = append(d.Sites, s); len(d.Sites) > mostWorldSites || len(d.Sites)*d.Slots() > mostWorldCells {
			return fmt.Errorf("line %d: %d sites of %d slots are too much; give %d sites at most, and %d slots of all sites together", t.line, len(d.Sites), d.Slots(), mostWorldSites, mostWorldCells)
		}
	}
	if len(d.Sites) == 0 {
		return errors.New("it has no sites; give a line for each")
	}
	return nil
}

func (d *worldDir) readIntents(r io.Reader) error {
	t, err := openRows(r)
	if err == nil {
		err = t.want("id", "release_slot", "complete_by_slot", "duration_slots", "cpus", "watts", "kind", "zones", "home")
	}
	if err != nil {
		return err
	}
	g := regionSet{of: map[string]int32{"": 0}, d: d}
	d.Regions = [][]int32{nil}
	seen := map[string]bool{}
	for {
		ok, err := t.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if len(d.Intents) == mostWorldIntents {
			return fmt.Errorf("line %d: there are more than %d intents", t.line, mostWorldIntents)
		}
		id, err := t.name("id")
		if err != nil {
			return err
		}
		if seen[id] {
			return t.fault("id", "%s is there twice", shorten(id))
		}
		seen[id] = true
		it, err := d.intent(t, &g)
		if err != nil {
			return err
		}
		d.IDs, d.Intents = append(d.IDs, id), append(d.Intents, it)
	}
	if len(d.Intents) == 0 {
		return errors.New("it has no intents; give a line for each")
	}
	if n := d.Choices(); n > mostWorldChoices {
		return fmt.Errorf("its intents have %d sites to choose among, counting those of the same shape once; %d are planned at most: give fewer zones to each", n, mostWorldChoices)
	}
	return nil
}

// intent reads a row. An intent that is due after the last slot is due when
// that ends: of what comes later no carbon is known.
func (d *worldDir) intent(t *csvRows, g *regionSet) (it world.Intent, err error) {
	const far = 1_000_000_000
	slots := d.Slots()
	var release, due, need int
	if release, err = t.whole("release_slot", 0, far); err != nil {
		return it, err
	}
	if due, err = t.whole("complete_by_slot", 0, far); err != nil {
		return it, err
	}
	if need, err = t.whole("duration_slots", 1, far); err != nil {
		return it, err
	}
	if due > slots {
		d.Clamped++
	}
	it.Release, it.Due, it.Need = int32(min(release, slots)), int32(min(due, slots)), int32(need)
	if it.CPUs, err = t.number("cpus", 0, 1e9); err != nil {
		return it, err
	}
	if it.Watts, err = t.number("watts", 0, 1e12); err != nil {
		return it, err
	}
	switch kind := t.text("kind"); strings.ToLower(kind) {
	case "rigid":
	case "interruptible":
		it.Pauses = true
	default:
		return it, t.fault("kind", "%s is no kind: give rigid or interruptible", shorten(kind))
	}
	if it.Region, err = g.region(t); err != nil {
		return it, err
	}
	it.Home, err = d.home(t)
	return it, err
}

// home is a site or a zone; of a zone it is the first site. Empty is unknown.
func (d *worldDir) home(t *csvRows) (int32, error) {
	name := t.text("home")
	if name == "" {
		return -1, nil
	}
	byID := func(s world.Site) bool { return s.ID == name }
	byZone := func(s world.Site) bool { return d.Zones[s.Zone] == name }
	for _, is := range []func(world.Site) bool{byID, byZone} {
		if i := slices.IndexFunc(d.Sites, is); i >= 0 {
			return int32(i), nil
		}
	}
	return 0, t.fault("home", "%s is no site of %s and no zone that has one; leave it empty if it is unknown", shorten(name), sitesFile)
}

// regionSet keeps each set of zones once.
type regionSet struct {
	of map[string]int32
	d  *worldDir
}

func (g *regionSet) region(t *csvRows) (int32, error) {
	text := t.text("zones")
	if r, ok := g.of[text]; ok {
		return r, nil
	}
	var zones []int32
	for name := range strings.SplitSeq(text, "|") {
		name = strings.TrimSpace(name)
		z := slices.Index(g.d.Zones, name)
		if z < 0 {
			return 0, t.fault("zones", "%s is no zone of %s; it has %s, separated by |, and empty is any", shorten(name), carbonFile, listOf(g.d.Zones))
		}
		zones = append(zones, int32(z))
	}
	slices.Sort(zones)
	zones = slices.Compact(zones)
	if !slices.ContainsFunc(g.d.Sites, func(s world.Site) bool { return slices.Contains(zones, s.Zone) }) {
		return 0, t.fault("zones", "no site is in %s; give it one in %s, or name another zone", shorten(text), sitesFile)
	}
	r := int32(len(g.d.Regions))
	g.d.Regions = append(g.d.Regions, zones)
	g.of[strings.Clone(text)] = r
	return r, nil
}
