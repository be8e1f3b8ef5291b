package private

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// The bytes of a message: its kind, then whole numbers as varints, and fractions
// in eight bytes. A table is written site by site, each cell as the difference
// to the one before. How many cells there are stands in the terms, not in the
// message, so that no message asks for memory. There is one way to write each message,
// and no other is read.
const (
	kindAnnouncement = 0xa1
	kindAnswer       = 0xa2
)

// Encode returns the bytes of a.
func (a *Announcement) Encode() []byte {
	b := []byte{kindAnnouncement}
	b = binary.AppendUvarint(b, a.Period)
	b = binary.AppendUvarint(b, uint64(a.Round))
	b = binary.AppendUvarint(b, uint64(a.Enclaves))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(a.Rho))
	b = appendTable(b, a.Prices)
	b = appendTable(b, a.Load)
	if a.Grant == nil {
		return append(b, 0)
	}
	return appendTable(append(b, 1), a.Grant)
}

// Encode returns the bytes of a.
func (a *Answer) Encode() []byte {
	b := []byte{kindAnswer}
	b = binary.AppendUvarint(b, a.Period)
	b = binary.AppendUvarint(b, uint64(a.Round))
	b = binary.AppendUvarint(b, uint64(a.Enclave))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(a.Bound))
	return appendTable(b, a.Values)
}

func appendTable(b []byte, g [][]int64) []byte {
	for _, row := range g {
		last := int64(0)
		for _, v := range row {
			b = binary.AppendVarint(b, v-last)
			last = v
		}
	}
	return b
}

// DecodeAnnouncement reads an announcement. What it says is checked by the enclave.
func (t *Terms) DecodeAnnouncement(b []byte) (*Announcement, error) {
	d := decoder{b: b}
	a := &Announcement{}
	d.kind(kindAnnouncement)
	a.Period = d.number("the period", math.MaxUint64)
	a.Round = int(d.number("the round", 3*MostRounds))
	a.Enclaves = int(d.number("the number of enclaves", MostEnclaves))
	a.Rho = d.fraction("the stiffness")
	a.Prices = d.table("prices", t)
	a.Load = d.table("load", t)
	if d.number("the mark of a grant", 1) == 1 {
		a.Grant = d.table("a grant", t)
	}
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("read an announcement of %d bytes: %w", len(b), err)
	}
	if !bytes.Equal(a.Encode(), b) {
		return nil, fmt.Errorf("read an announcement of %d bytes: it can be written shorter", len(b))
	}
	return a, nil
}

// DecodeAnswer reads an answer. What it says is checked by Next.
func (t *Terms) DecodeAnswer(b []byte) (*Answer, error) {
	d := decoder{b: b}
	a := &Answer{}
	d.kind(kindAnswer)
	a.Period = d.number("the period", math.MaxUint64)
	a.Round = int(d.number("the round", 3*MostRounds))
	a.Enclave = int(d.number("the enclave", MostEnclaves))
	a.Bound = d.fraction("the bound")
	a.Values = d.table("values", t)
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("read an answer of %d bytes: %w", len(b), err)
	}
	if !bytes.Equal(a.Encode(), b) {
		return nil, fmt.Errorf("read an answer of %d bytes: it can be written shorter", len(b))
	}
	return a, nil
}

// Hear answers an announcement in bytes with bytes.
func (e *Enclave) Hear(b []byte) ([]byte, error) {
	a, err := e.terms.DecodeAnnouncement(b)
	if err != nil {
		return nil, err
	}
	out, err := e.Answer(a)
	if err != nil {
		return nil, err
	}
	return out.Encode(), nil
}

// decoder reads a message; its first mistake stays.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) kind(want byte) {
	if len(d.b) == 0 || d.b[0] != want {
		d.fail("it does not begin with %#x", want)
		return
	}
	d.b = d.b[1:]
}

func (d *decoder) number(what string, most uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > most {
		d.fail("%s is cut off or above %d", what, most)
	}
	if d.err != nil {
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) fraction(what string) float64 {
	if len(d.b) < 8 {
		d.fail("%s is cut off", what)
	}
	if d.err != nil {
		return 0
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v
}

func (d *decoder) table(what string, t *Terms) [][]int64 {
	g := t.whole()
	for r := range g {
		last := int64(0)
		for c := range g[r] {
			v, n := binary.Varint(d.b)
			if n <= 0 {
				d.fail("%s end in cell %d of %d of %s", what, c, len(g[r]), t.World.Things[r])
			} else if last += v; last < 0 || last > mostCount*MostEnclaves || v > mostCount*MostEnclaves {
				d.fail("%s of %d in cell %d of %s: from 0 to %d can be told", what, last, c, t.World.Things[r], int64(mostCount*MostEnclaves))
			}
			if d.err != nil {
				return g
			}
			d.b = d.b[n:]
			g[r][c] = last
		}
	}
	return g
}

func (d *decoder) end() error {
	if len(d.b) > 0 {
		d.fail("%d bytes follow its end", len(d.b))
	}
	return d.err
}
