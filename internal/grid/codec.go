package grid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// How series and prices go to rest. The first byte is the version; then come
// the fields in the order of their types, whole numbers as varints, texts after
// their length. Values are written against the one before, in the largest unit
// that divides all of them, and the two edges of a band as the change of their
// distance from the value: neighbours differ little, so most take a byte or
// two. Only what is valid is written, and only what is valid comes back.
const (
	seriesVersion = 1
	pricesVersion = 2
)

var (
	signals = []string{string(Average), string(Marginal)}
	scopes  = []string{string(Lifecycle), string(Direct)}
	flows   = []string{"", string(Consumption), string(Production)}
)

const (
	flagEstimated = 1 << iota
	flagBand
	flagModel
)

// MarshalBinary returns s without its Ref, times to the microsecond, or the
// error of Validate.
func (s Series) MarshalBinary() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	w := packer{b: make([]byte, 0, 96+2*(len(s.Values)+2*len(s.Low)))}
	w.b = append(w.b, seriesVersion)
	w.text(s.Provider)
	w.text(string(s.Zone))
	w.b = append(w.b, place(signals, string(s.Basis.Signal)), place(scopes, string(s.Basis.Scope)), place(flows, string(s.Flow)), s.Grade[0])
	flags := byte(0)
	if s.Estimated {
		flags |= flagEstimated
	}
	if len(s.Low) > 0 {
		flags |= flagBand
	}
	if s.Model != "" {
		flags |= flagModel
	}
	w.b = append(w.b, flags)
	if s.Model != "" {
		w.text(s.Model)
	}
	w.signed(int64(s.Revision))
	w.times(s.Issued, s.Start, s.Step)
	unit := max(unitOf(s.Values, unitOf(s.Low, unitOf(s.High, 0))), 1)
	w.count(len(s.Values), unit)
	var last, lastDown, lastUp int64
	for i, v := range s.Values {
		if v == Unknown {
			w.whole(0)
			continue
		}
		w.known(int64(v)/unit, &last)
		if len(s.Low) > 0 {
			w.change(int64(v-s.Low[i])/unit, &lastDown)
			w.change(int64(s.High[i]-v)/unit, &lastUp)
		}
	}
	return w.b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. The bytes may be anybody's:
// what is not exactly a valid series is an error, and costs no more memory than
// a small multiple of its length.
func (s *Series) UnmarshalBinary(b []byte) error {
	r := unpacker{b: b}
	r.version(seriesVersion)
	var x Series
	x.Provider, x.Zone = r.text(), Zone(r.text())
	x.Basis = Basis{Signal(r.oneOf(signals)), Scope(r.oneOf(scopes))}
	x.Flow, x.Grade = Flow(r.oneOf(flows)), Grade(r.octet())
	flags := r.octet()
	if flags > flagEstimated|flagBand|flagModel {
		r.fail("unknown flags %#x", flags)
	}
	x.Estimated = flags&flagEstimated != 0
	if flags&flagModel != 0 {
		if x.Model = r.text(); x.Model == "" {
			r.fail("a model without a name")
		}
	}
	x.Revision = int(r.signed())
	x.Issued, x.Start, x.Step = r.times()
	n, unit := r.count(int64(MaxIntensity))
	all := make([]Intensity, n)
	if flags&flagBand != 0 {
		all = make([]Intensity, 3*n)
		x.Low, x.High = all[n:2*n:2*n], all[2*n:]
		if n == 0 {
			r.fail("a band around no values")
		}
	}
	x.Values = all[:n:n]
	var last, lastDown, lastUp int64
	for i := range x.Values {
		v, known := r.known(&last, 0, int64(MaxIntensity)/unit)
		if x.Values[i] = Intensity(v * unit); !known {
			x.Values[i] = Unknown
		}
		if x.Low == nil {
			continue
		}
		if x.Low[i], x.High[i] = Unknown, Unknown; known {
			x.Low[i] = Intensity((v - r.change(&lastDown, 0, v)) * unit)
			x.High[i] = Intensity((v + r.change(&lastUp, 0, int64(MaxIntensity)/unit-v)) * unit)
		}
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("a series of %d bytes: %w", len(b), err)
	}
	if err := x.Validate(); err != nil {
		return err
	}
	*s = x
	return nil
}

// MarshalBinary returns p, times to the microsecond, or the error of Validate.
func (p Prices) MarshalBinary() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	w := packer{b: make([]byte, 0, 96+3*len(p.Values))}
	w.b = append(w.b, pricesVersion)
	w.text(p.Provider)
	w.text(string(p.Zone))
	w.text(p.Currency)
	w.times(p.Issued, p.Start, p.Step)
	unit := max(unitOf(p.Values, 0), 1)
	w.count(len(p.Values), unit)
	var last int64
	for _, v := range p.Values {
		if !v.Known() {
			w.whole(0)
			continue
		}
		w.known(int64(v)/unit, &last)
	}
	return w.b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote, and doubts it as that of a
// series does.
func (p *Prices) UnmarshalBinary(b []byte) error {
	r := unpacker{b: b}
	r.version(pricesVersion)
	x := Prices{Provider: r.text(), Zone: Zone(r.text()), Currency: r.text()}
	x.Issued, x.Start, x.Step = r.times()
	n, unit := r.count(int64(MaxRate))
	x.Values = make([]Rate, n)
	var last int64
	for i := range x.Values {
		v, known := r.known(&last, -int64(MaxRate)/unit, int64(MaxRate)/unit)
		if x.Values[i] = Rate(v * unit); !known {
			x.Values[i] = UnknownRate
		}
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("prices of %d bytes: %w", len(b), err)
	}
	if err := x.Validate(); err != nil {
		return err
	}
	*p = x
	return nil
}

// unitOf returns the largest number that divides unit and all known vs; 0 if
// all of these are 0.
func unitOf[V interface {
	~int64
	Known() bool
}](vs []V, unit int64) int64 {
	for _, v := range vs {
		if unit == 1 {
			break
		}
		if !v.Known() {
			continue
		}
		a, b := unit, max(int64(v), -int64(v))
		for b != 0 {
			a, b = b, a%b
		}
		unit = a
	}
	return unit
}

// place returns the place of a name in a list that it is in.
func place(names []string, name string) byte {
	for i, n := range names {
		if n == name {
			return byte(i)
		}
	}
	panic("grid: no place for " + name) // Validate has refused it
}

// packer writes.
type packer struct{ b []byte }

func (w *packer) whole(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *packer) signed(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *packer) text(t string) {
	w.whole(uint64(len(t)))
	w.b = append(w.b, t...)
}

func (w *packer) times(issued, start time.Time, step time.Duration) {
	w.signed(issued.UnixMicro())
	w.signed(start.UnixMicro() - issued.UnixMicro())
	w.signed(int64(step))
}

func (w *packer) count(n int, unit int64) {
	w.whole(uint64(n))
	w.whole(uint64(unit))
}

// change writes v as its distance from last, which it becomes.
func (w *packer) change(v int64, last *int64) {
	w.signed(v - *last)
	*last = v
}

// known writes v as change does, one higher: 0 is what is unknown.
func (w *packer) known(v int64, last *int64) {
	d := v - *last
	w.whole(uint64(d<<1^d>>63) + 1)
	*last = v
}

// unpacker reads. After the first error it reads zeros.
type unpacker struct {
	b   []byte
	err error
}

var errShort = errors.New("it ends too early")

func (r *unpacker) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

func (r *unpacker) version(want byte) {
	if got := r.octet(); got != want {
		r.fail("its version is %d, want %d", got, want)
	}
}

func (r *unpacker) octet() byte {
	if len(r.b) == 0 {
		r.fail("%w", errShort)
		return 0
	}
	o := r.b[0]
	r.b = r.b[1:]
	return o
}

func (r *unpacker) whole() uint64 {
	// Most are one byte or two.
	switch b := r.b; {
	case len(b) >= 1 && b[0] < 0x80:
		r.b = b[1:]
		return uint64(b[0])
	case len(b) >= 2 && b[1] < 0x80:
		r.b = b[2:]
		return uint64(b[0]&0x7f) | uint64(b[1])<<7
	}
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail("%w, or a number is too long", errShort)
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *unpacker) signed() int64 {
	n := r.whole()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *unpacker) text() string {
	n := r.whole()
	if n > uint64(len(r.b)) {
		r.fail("%w: a text of %d bytes", errShort, n)
		return ""
	}
	t := string(r.b[:n])
	r.b = r.b[n:]
	return t
}

func (r *unpacker) oneOf(names []string) string {
	o := r.octet()
	if int(o) >= len(names) {
		r.fail("there is no choice %d among %q", o, names)
		return ""
	}
	return names[o]
}

func (r *unpacker) times() (issued, start time.Time, step time.Duration) {
	at := r.signed()
	return time.UnixMicro(at).UTC(), time.UnixMicro(at + r.signed()).UTC(), time.Duration(r.signed())
}

// count returns how many values follow, each of which takes a byte at least,
// and their unit, which is at most the largest of them.
func (r *unpacker) count(largest int64) (n int, unit int64) {
	many, u := r.whole(), r.whole()
	if many > uint64(len(r.b)) {
		r.fail("%w: %d values", errShort, many)
	}
	if u == 0 || u > uint64(largest) {
		r.fail("values in units of %d", u)
	}
	if r.err != nil {
		return 0, 1
	}
	return int(many), int64(u)
}

// change reads a number by its distance from last, which it becomes. It lies
// within [least, most].
func (r *unpacker) change(last *int64, least, most int64) int64 {
	return r.within(r.signed(), last, least, most)
}

// known reads what packer.known wrote; ok is false if it is unknown.
func (r *unpacker) known(last *int64, least, most int64) (v int64, ok bool) {
	n := r.whole()
	if n == 0 {
		return 0, false
	}
	n--
	return r.within(int64(n>>1)^-int64(n&1), last, least, most), true
}

func (r *unpacker) within(d int64, last *int64, least, most int64) int64 {
	// Both bounds are small: a distance that is not would overflow the sum.
	if d < least-*last || d > most-*last {
		r.fail("a value is out of bounds")
		return 0
	}
	*last += d
	return *last
}

// end returns the first error, or that something is left.
func (r *unpacker) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes are left over", len(r.b))
	}
	return r.err
}
