package tables_test

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal/tables"
)

func embedded(t *testing.T) *tables.Tables {
	t.Helper()
	all, err := tables.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func folder(files ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

func TestZones(t *testing.T) {
	all := embedded(t)
	if n := len(all.Zones()); n != 355 {
		t.Errorf("%d zones, want the 352 of the source and three aliases", n)
	}
	for _, z := range all.Zones() {
		means, of := all.Means(z.Zone)
		if len(means) != 5 || means[0].Year != 2021 || means[4].Year != 2025 || z.Source == "" {
			t.Errorf("%s: means %v, source %q", z.Zone, means, z.Source)
		}
		if (of != z.Zone) != (z.AliasOf != "") || z.AliasOf != "" && z.Note == "" {
			t.Errorf("%s: means of %s, alias of %q because %q", z.Zone, of, z.AliasOf, z.Note)
		}
	}
	m, of, ok := all.Mean("DE-LU")
	if z, _ := all.Zone("DE-LU"); !ok || of != "DE" || m != (tables.Mean{Year: 2025, Mean: 342_000}) || z.Name != "Germany and Luxembourg" || len(z.Means) != 0 {
		t.Errorf("DE-LU is %+v with %+v of %s", z, m, of)
	}
	if z, _ := all.Zone("US-CAL-CISO"); z.Parent != "US" || z.Country != "US" || z.Means[3].Mean != 229_000 {
		t.Errorf("California is %+v", z)
	}
	if _, _, ok := all.Mean("XX"); ok {
		t.Error("a zone that there is none of has a mean")
	}
}

func TestRegions(t *testing.T) {
	all := embedded(t)
	count, disputed := map[string]int{}, []string(nil)
	for _, r := range all.Regions() {
		count[r.Provider]++
		if _, _, ok := all.Mean(r.Zone); !ok {
			t.Errorf("%s is in %s, which has no mean", r, r.Zone)
		}
		if r.Status == tables.Disputed {
			disputed = append(disputed, r.String())
			if d := r.Doubt(); !strings.Contains(d, string(r.Zone)) || !strings.Contains(d, string(r.Alt)) || !strings.Contains(d, r.Note) {
				t.Errorf("%s: %q", r, d)
			}
		}
		if !slices.ContainsFunc(all.RegionsIn(r.Zone), func(o tables.Region) bool { return o.String() == r.String() }) {
			t.Errorf("%s is not among the regions in %s", r, r.Zone)
		}
	}
	if fmt.Sprint(count) != "map[aws:39 azure:66 gcp:45 hlrs:1 itenos:1 ovh:15]" {
		t.Errorf("regions: %v", count)
	}
	if got := strings.Join(disputed, " "); got != "aws/eu-north-1 aws/us-west-2 azure/northcentralus azure/swedencentral azure/westus gcp/me-central1 gcp/us-central1 gcp/us-east1 gcp/us-west1" {
		t.Errorf("disputed: %s", got)
	}
	r, ok := all.Region("AWS", "EU-North-1")
	if !ok || r.Zone != "SE-SE3" || r.Alt != "SE" || r.PUE == nil || r.PUE.Thousandths != 1100 || r.PUE.Year != 2024 || r.Where == nil || r.Where.Lat != 59.3327 || r.Place != "Stockholm" {
		t.Errorf("aws/eu-north-1 is %+v", r)
	}
	if got := fmt.Sprintf("%.2f", r.PUE.Ratio()); got != "1.10" {
		t.Errorf("its PUE is %s", got)
	}
	if r, _ := all.RegionNamed("aws/ap-east-2"); r.Where != nil || r.PUE != nil || !strings.Contains(r.Doubt(), "inferred") {
		t.Errorf("what is not known of aws/ap-east-2 is %+v", r)
	}
	if r, _ := all.RegionNamed("gcp/europe-west4"); r.Doubt() != "" {
		t.Errorf("a confirmed region is doubted: %s", r.Doubt())
	}
	if _, ok := all.RegionNamed("aws/mars-1"); ok {
		t.Error("there is a region on Mars")
	}
}

func TestIDs(t *testing.T) {
	all := embedded(t)
	for _, c := range []struct {
		zone grid.Zone
		in   tables.System
		want string
	}{
		{"DE", tables.ENTSOE, "10Y1001A1001A83F"}, {"DE-LU", tables.ENTSOE, "10Y1001A1001A82H"}, {"DE", tables.ENTSOEPrice, "10Y1001A1001A82H"},
		{"FR", tables.ENTSOEPrice, "10YFR-RTE------C"}, {"IE", tables.ENTSOEPrice, "10Y1001A1001A59C"},
		{"DE-LU", tables.EnergyCharts, "de"}, {"DE-LU", tables.NordPool, "GER"}, {"DE-LU", tables.EnergyChartsBZN, "DE-LU"},
		{"US-CAL-CISO", tables.EIA, "CISO"}, {"US-CAL-CISO", tables.WattTime, "CAISO_NORTH LDWP"}, {"DK-DK1", tables.Energinet, "DK1"},
		{"GB", tables.NESO, "national"}, {"ZA", tables.ENTSOE, ""}, {"XX", tables.EIA, ""},
	} {
		if got := strings.Join(all.IDs(c.zone, c.in), " "); got != c.want {
			t.Errorf("%s at %s is %q, want %q", c.zone, c.in, got, c.want)
		}
	}
	if got := all.ZonesCalled(tables.ENTSOEPrice, "10Y1001A1001A82H"); !slices.Equal(got, []grid.Zone{"DE", "DE-LU", "LU"}) {
		t.Errorf("the German bidding zone prices %v", got)
	}
	// The codes of ENTSO-E are 16 letters, digits and dashes each.
	for _, z := range all.Zones() {
		for _, id := range all.IDs(z.Zone, tables.ENTSOE) {
			if !regexp.MustCompile(`^[0-9A-Z-]{16}$`).MatchString(id) {
				t.Errorf("%s: %q is no EIC", z.Zone, id)
			}
		}
	}
}

func TestFactors(t *testing.T) {
	all := embedded(t)
	for _, c := range []struct {
		scheme tables.Scheme
		fuel   string
		scope  grid.Scope
		want   grid.Intensity
	}{
		{tables.EMDefault, "coal", grid.Lifecycle, 820_000}, {tables.EMDefault, "Coal", grid.Direct, 760_000}, {tables.EMDefault, "wind", grid.Direct, 0},
		{tables.IPCC2014, "nuclear", grid.Lifecycle, 12_000}, {tables.NESOGB, "Gas (Combined Cycle)", grid.Direct, 394_000},
		{tables.UNECE2022, "nuclear", grid.Lifecycle, grid.Unknown}, {tables.NESOGB, "Coal", grid.Lifecycle, grid.Unknown}, {tables.EMDefault, "peat", grid.Direct, grid.Unknown},
	} {
		if got, ok := all.Factor(c.scheme, c.fuel, c.scope); got != c.want || ok != got.Known() {
			t.Errorf("%s %s %s is %d, want %d", c.scheme, c.fuel, c.scope, got, c.want)
		}
	}
	for _, f := range all.Factors() {
		if f.Source == "" || (f.Scheme == tables.CodeCarb) != (f.Scope == tables.Mixed) {
			t.Errorf("%+v", f)
		}
	}
	for code, want := range map[string]string{"B04": "gas", "B16": "solar", "B10": "hydro discharge", "B99": ""} {
		if f, ok := all.Fuel(tables.ENTSOE, code); f.Fuel != want || ok != (want != "") {
			t.Errorf("ENTSO-E %s is %q, want %q", code, f.Fuel, want)
		}
	}
	if f, ok := all.Fuel(tables.EIA, "WND"); !ok || f.Fuel != "wind" {
		t.Errorf("EIA WND is %+v", f)
	}
}

func TestHardware(t *testing.T) {
	all := embedded(t)
	if p, ok := all.VCPU("aws", "ice lake"); !ok || p.Idle != 767 || p.Max != 3758 {
		t.Errorf("a thread of Ice Lake draws %+v", p)
	}
	// Turin is an outlier that its source did not explain: the fleet is taken.
	if p, ok := all.VCPU("aws", "EPYC 5th Gen (Turin)"); !ok || p.Kind != tables.VCPUFleet || p.Max != 3500 {
		t.Errorf("a suspect row was taken: %+v", p)
	}
	if _, ok := all.VCPU("hetzner", ""); ok {
		t.Error("a provider that nobody measured has a fleet")
	}
	half, ok := tables.Power{Idle: 1000, Max: 3000}.At(0.5)
	if !ok || half != 2000 {
		t.Errorf("half a load draws %d, %v", half, ok)
	}
	h100, ok := all.Device(tables.Accelerator, "H100 SXM5 80GB")
	if !ok || h100.Max != 700*grid.Watt {
		t.Errorf("an H100 is rated %+v", h100)
	}
	if w, ok := h100.At(0); ok {
		t.Errorf("a card idles at %d, which nobody told", w)
	}
	if c, ok := all.Coefficient("memory"); !ok || c.Value != 0.000392 || c.Unit != "kWh per GB-hour" {
		t.Errorf("memory: %+v", c)
	}
	for _, c := range []struct {
		provider string
		year     int
		want     int64
	}{{"aws", 2026, 1140}, {"AWS", 2024, 1150}, {"aws", 2021, 1135}, {"gcp", 2024, 1100}, {"gcp", 2020, 0}, {"on-premises", 2025, 1630}, {"hetzner", 2025, 0}} {
		if p, ok := all.FleetPUE(c.provider, c.year); p.Thousandths != c.want || ok != (c.want != 0) {
			t.Errorf("%s in %d has PUE %+v, want %d", c.provider, c.year, p, c.want)
		}
	}
}

// An operator who knows better says so, in a file of a few columns.
func TestOverride(t *testing.T) {
	all, err := tables.Load(folder(
		"regions.csv", "provider,region,zone\naws,us-west-2,US-NW-BPAT\nonprem,cellar,DE-CELLAR\n",
		"zones.csv", "\ufeff# ours\nname,zone,country,2025\nThe cellar,DE-CELLAR,DE,55.5\n",
		"factors.csv", "scheme,fuel,scope,g_per_kwh\nEM-default,gas,lifecycle,450\n",
		"README", "not a table",
	))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := all.RegionNamed("aws/us-west-2")
	if r.Zone != "US-NW-BPAT" || r.Status != tables.Operator || r.Alt != "" || r.Doubt() != "" || r.Place != "Oregon" || r.PUE.Thousandths != 1120 {
		t.Errorf("us-west-2 is %+v", r)
	}
	if r, _ := all.RegionNamed("onprem/cellar"); r.Zone != "DE-CELLAR" {
		t.Errorf("the cellar is %+v", r)
	}
	if m, _, _ := all.Mean("DE-CELLAR"); m.Mean != 55_500 || m.Year != 2025 {
		t.Errorf("the cellar's mean is %+v", m)
	}
	if g, _ := all.Factor(tables.EMDefault, "gas", grid.Lifecycle); g != 450_000 {
		t.Errorf("gas is %s", g)
	}
	if g, _ := all.Factor(tables.EMDefault, "gas", grid.Direct); g != 370_000 {
		t.Errorf("gas burnt is %s", g)
	}
	if !all.Overridden() || len(all.Zones()) != 356 {
		t.Errorf("overridden %v, %d zones", all.Overridden(), len(all.Zones()))
	}
	if before := embedded(t); before.Overridden() || len(before.Zones()) != 355 {
		t.Error("the override reached the embedded tables")
	}
}

// Whatever is wrong with an operator's files, none of them is taken, and the
// error says where and what.
func TestSpoiltOverride(t *testing.T) {
	const factors = "scheme,fuel,scope,g_per_kwh,low,high,verified,source\n"
	for name, c := range map[string]struct{ file, text, want string }{
		"other name":      {"region.csv", "x\n", "region.csv is not a table; the tables are coefficients.csv, "},
		"empty":           {"zones.csv", "# nothing\n", "zones.csv is empty"},
		"no key":          {"zones.csv", "name\nX\n", `no column "zone"`},
		"other column":    {"zones.csv", "zone,colour\nDE,red\n", `column "colour"`},
		"column twice":    {"zones.csv", "zone,name,name\nDE,a,b\n", `column "name" twice`},
		"ragged":          {"zones.csv", "zone,name\nDE\n", "line 2"},
		"empty key":       {"zones.csv", "zone,name\n,X\n", "zones.csv, line 2, column zone: it is empty"},
		"twice":           {"zones.csv", "zone,name\nDE,A\nde,B\n", "line 3: de is there twice, first on line 2"},
		"space in zone":   {"zones.csv", "zone,name,country\nD E,A,DE\n", "line 2, column zone"},
		"country":         {"zones.csv", "zone,country\nDE,Germany\n", "line 2, column country"},
		"three letters":   {"zones.csv", "zone,country\nDE,DEU\n", "line 2, column country"},
		"no country":      {"zones.csv", "zone,country\nDE,\n", "line 2, column country"},
		"no name":         {"zones.csv", "zone,country\nQQ,QQ\n", "line 2, column name: it is empty"},
		"negative":        {"zones.csv", "zone,2025\nDE,-1\n", "line 2, column 2025"},
		"too dirty":       {"zones.csv", "zone,2025\nDE,3001\n", "want 0 to 3000"},
		"NaN":             {"zones.csv", "zone,2025\nDE,NaN\n", `"NaN" is not a decimal number`},
		"hexadecimal":     {"zones.csv", "zone,2025\nDE,0x10\n", "not a decimal number"},
		"infinite":        {"zones.csv", "zone,2025\nDE,1e999\n", "not a decimal number"},
		"year":            {"zones.csv", "zone,1066\nDE,1\n", `column "1066"`},
		"parent":          {"zones.csv", "zone,parent\nDE,QQ\n", `column parent: "QQ" is no zone`},
		"circle":          {"zones.csv", "zone,parent\nDE,FR\nFR,DE\n", "in a circle"},
		"alias":           {"zones.csv", "zone,alias_of\nFR,DE-LU\n", `"DE-LU" is itself an alias`},
		"terminal":        {"zones.csv", "zone,name\nDE,\x1b[31mred\n", "cannot be printed"},
		"not text":        {"zones.csv", "zone,name\nDE,\xff\n", "not text in UTF-8"},
		"long":            {"zones.csv", "zone,name\nDE," + strings.Repeat("x", 1001) + "\n", "1001 bytes"},
		"quotes":          {"zones.csv", "zone,name\nDE,\"x\n", "zones.csv"},
		"region's zone":   {"regions.csv", "provider,region,zone\naws,us-west-2,NOWHERE\n", `regions.csv, line 2, column zone: "NOWHERE" is no zone of zones.csv`},
		"no zone":         {"regions.csv", "provider,region,place\naws,new-1,here\n", "column zone: it is empty"},
		"status":          {"regions.csv", "provider,region,status\naws,us-west-2,sure\n", "want one of confirmed"},
		"undisputed":      {"regions.csv", "provider,region,status\naws,us-west-2,confirmed\n", "a disputed region names another zone"},
		"disputed":        {"regions.csv", "provider,region,status\naws,us-east-1,disputed\n", "a disputed region names another zone"},
		"disputed no why": {"regions.csv", "provider,region,status,alt_zone\naws,us-east-1,disputed,US\n", "say why"},
		"latitude":        {"regions.csv", "provider,region,lat\naws,us-east-1,91\n", "want -90 to 90"},
		"half a place":    {"regions.csv", "provider,region,lat\naws,us-east-1,\n", "without a longitude"},
		"PUE":             {"regions.csv", "provider,region,pue\naws,us-east-1,0.9\n", "want 1 to 10"},
		"system":          {"ids.csv", "zone,system,ids,source\nDE,eon,1,x\n", "column system"},
		"id's zone":       {"ids.csv", "zone,system,ids,source\nQQ,eia,1,x\n", `"QQ" is no zone`},
		"no ids":          {"ids.csv", "zone,system,ids\nDE,entsoe,\n", "column ids: it is empty"},
		"scope":           {"factors.csv", factors + "a,b,total,1,,,yes,x\n", "column scope"},
		"factor":          {"factors.csv", factors + "a,b,direct,,,,yes,x\n", "neither a value nor a range"},
		"half a range":    {"factors.csv", factors + "a,b,direct,1,1,,yes,x\n", "a range of"},
		"other half":      {"factors.csv", factors + "a,b,direct,1,,1,yes,x\n", "a range of"},
		"outside":         {"factors.csv", factors + "a,b,direct,9,1,2,yes,x\n", "outside its range"},
		"no source":       {"factors.csv", factors + "a,b,direct,9,,,yes,\n", "column source: it is empty"},
		"verified":        {"factors.csv", factors + "a,b,direct,9,,,maybe,x\n", "column verified"},
		"fuel":            {"fuels.csv", "system,code,fuel\nentsoe,B04,steam\n", `no lifecycle factor of "steam"`},
		"idle":            {"power.csv", "kind,name,idle_w\nvcpu,Ice Lake,9\n", "above the power at full load"},
		"no idle":         {"power.csv", "kind,name,idle_w\nvcpu,Ice Lake,\n", "the others need one"},
		"rated idle":      {"power.csv", "kind,name,idle_w\naccelerator,P100,5\n", "a rated power has none"},
		"no power":        {"power.csv", "kind,name,max_w\nvcpu,Ice Lake,0\n", "want watts above 0"},
		"whose fleet":     {"power.csv", "kind,name,provider\nvcpu,Ice Lake,aws\n", "names a provider"},
		"no value":        {"coefficients.csv", "name,value\nmemory,\n", "column value: it is empty"},
		"no PUE":          {"pue.csv", "provider,kind,year,pue\naws,fleet,2024,\n", "column pue: it is empty"},
		"no year":         {"pue.csv", "provider,kind,year,pue\naws,fleet,MMXX,1.1\n", "is not a year"},
	} {
		all, err := tables.Load(folder(c.file, c.text))
		if all != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := tables.Load(folder("README", "x")); err == nil || !strings.Contains(err.Error(), "has none") {
		t.Errorf("a folder without tables: %v", err)
	}
	if _, err := tables.Load(os.DirFS(t.TempDir() + "/not")); err == nil {
		t.Error("a folder that is not there was read")
	}
	if _, err := tables.Load(fstest.MapFS{"zones.csv": {Mode: fs.ModeNamedPipe}}); err == nil || !strings.Contains(err.Error(), "zones.csv: it is no file") {
		t.Errorf("a pipe: %v", err)
	}
	var many strings.Builder
	many.WriteString("zone,name,country\n")
	for i := range 20_001 {
		fmt.Fprintf(&many, "QQ-%d,x,QQ\n", i)
	}
	if _, err := tables.Load(folder("zones.csv", many.String())); err == nil || !strings.Contains(err.Error(), "too big") {
		t.Errorf("20,001 rows: %v", err)
	}
	if _, err := tables.Load(folder("zones.csv", strings.Repeat("# x\n", 1<<20+1))); err == nil || !strings.Contains(err.Error(), "too big") {
		t.Errorf("more than 4 MiB: %v", err)
	}
}

// Each table has its licence at its head, a row in the notice, and a source in
// each of its rows.
func TestLicences(t *testing.T) {
	files, err := fs.Glob(os.DirFS("."), "*.csv")
	if err != nil || !slices.Equal(files, tables.Files()) {
		t.Fatalf("files %v, tables %v: %v", files, tables.Files(), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(string(text)))
		r.Comment = '#'
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "\n"+rows[0][0]+",")
		if !strings.HasPrefix(head, "# ") || !regexp.MustCompile(`ODbL|[Ff]acts`).MatchString(head) {
			t.Errorf("%s does not say its licence at its head", name)
		}
		source := slices.Index(rows[0], "source")
		for i, row := range rows[1:] {
			if row[source] == "" {
				t.Errorf("%s, row %d has no source", name, i+1)
			}
		}
		if !regexp.MustCompile("(?m)^\\| `" + name + "` \\|.*(ODbL|facts)").MatchString(tables.Notice()) {
			t.Errorf("the notice does not say the licence of %s", name)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := tables.Load(nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegion(b *testing.B) {
	all, err := tables.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		all.Region("aws", "eu-north-1")
	}
}

// The page of reference names the licence of every file that is embedded, here
// and in the package beside, and every disputed region as it is.
func TestPageOfReference(t *testing.T) {
	text, err := os.ReadFile("../../../docs/reference/tables.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, licences, _ := strings.Cut(page, "## Licences")
	holds, _, _ := strings.Cut(page, "## How sure")
	more, err := fs.Glob(os.DirFS("../bundled"), "*.csv")
	if err != nil || len(more) != 2 {
		t.Fatalf("bundled files %v: %v", more, err)
	}
	for _, file := range append(tables.Files(), more...) {
		if !regexp.MustCompile("(?m)^\\| `" + file + "` \\| (ODbL|facts)").MatchString(licences) {
			t.Errorf("the licence of %s is not on the page", file)
		}
		if !strings.Contains(holds, "`"+file+"`") {
			t.Errorf("what %s holds is not on the page", file)
		}
	}
	count := map[tables.Status]int{}
	for _, r := range embedded(t).Regions() {
		if count[r.Status]++; r.Status != tables.Disputed {
			continue
		}
		if row := fmt.Sprintf("| `%s` | `%s` | `%s` | %s |\n", r, r.Zone, r.Alt, r.Note); !strings.Contains(page, row) {
			t.Errorf("the page lacks %s", row)
		}
	}
	for status, n := range count {
		if !regexp.MustCompile(fmt.Sprintf("(?m)^\\| `%s` \\|.*\\| %d \\|$", status, n)).MatchString(page) {
			t.Errorf("the page does not say that %d regions are %s", n, status)
		}
	}
}
