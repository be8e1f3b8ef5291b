package grid

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// someSeries returns a valid series made by r.
func someSeries(r *rand.Rand) Series {
	pick := func(ss []string) string { return ss[r.IntN(len(ss))] }
	s := Series{
		Provenance: Provenance{
			Provider: strings.Repeat("p", r.IntN(40)), Zone: Zone(pick([]string{"DE", "US-CAL-CISO", strings.Repeat("Z", 64)})),
			Issued: midnight.Add(time.Duration(r.Int64N(1e9)) * time.Microsecond), Revision: r.IntN(4) - 1, Model: []string{"", "2025-09-01", "x"}[r.IntN(3)],
			Basis: Basis{Signal(pick(signals)), Scope(pick(scopes))}, Flow: Flow(pick(flows)), Estimated: r.IntN(2) == 0, Grade: Grade(pick([]string{"A", "C", "E"})),
		},
		Start: midnight.Add(time.Duration(r.IntN(1000)-500) * time.Minute), Step: time.Duration(1+r.IntN(24*60)) * time.Minute,
	}
	unit := Intensity(1 + r.IntN(2)*999)
	band, n := r.IntN(2) == 0, r.IntN(60)
	for range n {
		v := Intensity(r.Int64N(int64(MaxIntensity/unit)+1)) * unit
		low, high := Intensity(r.Int64N(int64(v/unit)+1))*unit, v+Intensity(r.Int64N(int64((MaxIntensity-v)/unit)+1))*unit
		if r.IntN(5) == 0 {
			v, low, high = Unknown, Unknown, Unknown
		}
		s.Values = append(s.Values, v)
		if band {
			s.Low, s.High = append(s.Low, low), append(s.High, high)
		}
	}
	return s
}

// TestRoundTrip: whatever is valid comes back as it was.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		s := someSeries(r)
		b, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got Series
		if err := got.UnmarshalBinary(b); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if s.Values == nil {
			got.Values = nil
		}
		if !reflect.DeepEqual(got, s) || got.Digest() != s.Digest() {
			t.Fatalf("came back as\n%+v, want\n%+v", got, s)
		}
		for cut := range b {
			if err := got.UnmarshalBinary(b[:cut]); err == nil {
				t.Fatalf("the first %d of %d bytes are a series", cut, len(b))
			}
		}
		if err := got.UnmarshalBinary(append(b, 0)); err == nil {
			t.Fatal("a byte is left over, and nobody said so")
		}
		if !reflect.DeepEqual(got, s) && s.Values != nil {
			t.Fatal("a failed read changed what was there")
		}
		_ = append(got.Values, 7) // must not run into the band
		_ = append(got.Low, 7)
		if s.Values != nil && !reflect.DeepEqual(got, s) {
			t.Fatal("appending to the values wrote into the band")
		}
	}
	p := Prices{Provider: "market", Zone: "DE-LU", Issued: midnight, Currency: "EUR", Start: midnight.Add(time.Hour), Step: 15 * time.Minute}
	for range 500 {
		p.Values = append(p.Values, Rate(r.Int64N(int64(2*MaxRate+1)))-MaxRate)
		if r.IntN(4) == 0 {
			p.Values[len(p.Values)-1] = UnknownRate
		}
		b, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got Prices
		if err := got.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("came back as\n%+v, %v; want\n%+v", got, err, p)
		}
		if got.UnmarshalBinary(b[:len(b)-1]) == nil || got.UnmarshalBinary(append(b, 0)) == nil {
			t.Fatal("prices of another length are prices")
		}
	}
}

// TestSmall: what neighbours have in common is not written.
func TestSmall(t *testing.T) {
	s := hourly()
	for i := range 288 {
		s.Values = append(s.Values, Intensity(400+i%40)*1000)
	}
	b, err := s.MarshalBinary()
	if err != nil || len(b) > 360 {
		t.Errorf("288 values take %d bytes, %v; want a byte each, and few more", len(b), err)
	}
}

// TestBytesStay: what was written once is read for ever.
func TestBytesStay(t *testing.T) {
	s := hourly(250_000, Unknown, 251_000)
	s.Low, s.High = []Intensity{200_000, Unknown, 201_000}, []Intensity{300_000, Unknown, 320_000}
	s.Flow, s.Estimated, s.Revision = Production, true, 2
	const want = "01" + "0474657374" + "0544452d4c55" + "000002" + "41" + "03" + "04" + // test, DE-LU, average, lifecycle, production, A, flags, revision
		"80809bece4faa506" + "00" + "8080c58bc6d101" + // issued, start, step
		"03" + "e807" + "f5036464" + "00" + "030026" // three values in units of 1000: 250-50+100, unknown, +1, +0, +19
	b, err := s.MarshalBinary()
	if err != nil || hex.EncodeToString(b) != want {
		t.Errorf("written as %x, %v; want %s", b, err, want)
	}
	const name = "fe5453bf309e233cb722edcb701e91a72c85523c0a693510a864e5339f8b01ae"
	if got := s.Digest(); got != name {
		t.Errorf("named %s, want %s", got, name)
	}
}

// hostile bytes, each with what is wrong with them.
func TestUnmarshalRefuses(t *testing.T) {
	good, err := hourly(1000, 2000).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var s Series
	var p Prices
	if err := s.UnmarshalBinary(good); err != nil {
		t.Fatal(err)
	}
	if err := p.UnmarshalBinary(good); err == nil {
		t.Error("a series is prices")
	}
	with := func(at int, o byte) []byte {
		b := bytes.Clone(good)
		b[at] = o
		return b
	}
	head := 1 + 1 + 4 + 1 + 5 // version, provider, zone
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"another version":  with(0, 9),
		"JSON":             []byte(`{"provider":"test"}`),
		"a long text":      with(1, 0x7f),
		"no such signal":   with(head, 2),
		"no such scope":    with(head+1, 2),
		"no such flow":     with(head+2, 3),
		"no such grade":    with(head+3, 'F'),
		"unknown flags":    with(head+4, 4),
		"half a band":      with(head+4, flagBand),
		"no unit":          with(len(good)-4, 0),
		"many values":      with(len(good)-5, 0x7f),
		"a value below 0":  with(len(good)-1, 6),
		"an endless count": append(bytes.Clone(good[:len(good)-5]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"too long a count": append(bytes.Clone(good[:len(good)-5]), bytes.Repeat([]byte{0xff}, 12)...),
	} {
		if err := s.UnmarshalBinary(b); err == nil {
			t.Errorf("%s: %x is a series: %+v", name, b, s)
		} else {
			t.Log(name, err)
		}
	}
	// A count is refused before there is memory for it.
	many := append(append(bytes.Clone(good[:len(good)-5]), 0x80, 0x80, 0x40), good[len(good)-4:]...)
	if err := s.UnmarshalBinary(many); err == nil || !strings.Contains(err.Error(), "1048576 values") {
		t.Errorf("a million values in a few bytes: %v", err)
	}
	// A distance so large that the value, in its unit, runs over into a sound one.
	over := binary.AppendUvarint(bytes.Clone(good[:len(good)-1]), 2<<61+2+1)
	if err := s.UnmarshalBinary(over); err == nil {
		t.Errorf("a value that runs over is taken for %v", s.Values)
	}
	if _, err := (Series{}).MarshalBinary(); err == nil {
		t.Error("no series at all was written")
	}
	if _, err := (Prices{}).MarshalBinary(); err == nil {
		t.Error("no prices at all were written")
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		b, _ := someSeries(r).MarshalBinary()
		f.Add(b)
	}
	b, _ := Prices{Provider: "m", Zone: "DE", Issued: midnight, Currency: "EUR", Start: midnight, Step: time.Hour, Values: []Rate{1, -7, UnknownRate}}.MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Series
		if err := s.UnmarshalBinary(b); err == nil {
			if cap(s.Values)+cap(s.Low)+cap(s.High) > 3*len(b) {
				t.Errorf("%d bytes became %d values", len(b), len(s.Values))
			}
			again, err := s.MarshalBinary()
			var same Series
			if err != nil || same.UnmarshalBinary(again) != nil || !reflect.DeepEqual(same, s) {
				t.Errorf("%+v came back as %+v, %v", s, same, err)
			}
		}
		var p Prices
		if err := p.UnmarshalBinary(b); err == nil {
			again, err := p.MarshalBinary()
			var same Prices
			if err != nil || same.UnmarshalBinary(again) != nil || !reflect.DeepEqual(same, p) {
				t.Errorf("%+v came back as %+v, %v", p, same, err)
			}
		}
	})
}

// TestDigestIsAsEver: series that are on record keep their names.
func TestDigestIsAsEver(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		s := someSeries(r)
		h := sha256.New()
		text := func(t string) {
			_ = binary.Write(h, binary.BigEndian, uint32(len(t)))
			h.Write([]byte(t))
		}
		for _, t := range []string{s.Provider, string(s.Zone), string(s.Basis.Signal), string(s.Basis.Scope), string(s.Grade)} {
			text(t)
		}
		_ = binary.Write(h, binary.BigEndian, []int64{s.Issued.UnixMicro(), int64(s.Revision), s.Start.UnixMicro(), int64(s.Step)})
		_ = binary.Write(h, binary.BigEndian, s.Estimated)
		if s.Flow != "" {
			text(string(s.Flow))
		}
		if s.Model != "" {
			text("model " + s.Model)
		}
		for _, vs := range [][]Intensity{s.Values, s.Low, s.High} {
			_ = binary.Write(h, binary.BigEndian, uint32(len(vs)))
			_ = binary.Write(h, binary.BigEndian, vs)
		}
		if want := hex.EncodeToString(h.Sum(nil)); s.Digest() != want {
			t.Fatalf("%+v is named %s, want %s", s, s.Digest(), want)
		}
	}
}

func BenchmarkUnmarshalSeries(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	s := hourly()
	s.Step = 5 * time.Minute
	v := Intensity(300_000)
	for range 864 {
		v = min(max(v+Intensity(r.IntN(4001)-2000), 100_000), 600_000)
		s.Values, s.Low, s.High = append(s.Values, v), append(s.Low, v-50_000+Intensity(r.IntN(2000))), append(s.High, v+60_000+Intensity(r.IntN(2000)))
	}
	text, _ := s.MarshalBinary()
	b.ReportMetric(float64(len(text)), "bytes")
	for b.Loop() {
		var x Series
		if x.UnmarshalBinary(text) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	s := hourly(make([]Intensity, 864)...)
	s.Low, s.High = s.Values, s.Values
	for b.Loop() {
		s.Digest()
	}
}
