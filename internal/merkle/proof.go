package merkle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	proofTitle = "c2sp.org/tlog-proof@v1"
	maxPath    = 48 // the height of a tree of MaxSize
)

// Proof is all that is needed to check, off line and for ever, that one leaf
// is in the log: C2SP's tlog-proof, in a file *.tlog-proof.
type Proof struct {
	Extra      []byte // not authenticated: never trust it; nil if there is none
	Index      int64
	Path       []Hash // the inclusion proof, from the leaf's sibling up
	Checkpoint []byte // as it was signed
}

// Marshal returns p as text:
//
//	c2sp.org/tlog-proof@v1
//	extra <base64>          only if there is any
//	index 12
//	<base64 hash>           one line for each of Path
//	                        an empty line
//	<checkpoint>            as it was signed
func (p Proof) Marshal() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b := p.append(nil)
	if len(b) > MaxNote {
		return nil, fmt.Errorf("proof has %d bytes, want at most %d", len(b), MaxNote)
	}
	return b, nil
}

// ParseProof reads a proof and accepts only what Marshal writes. It verifies
// nothing: that is Verify.
func ParseProof(text []byte) (Proof, error) {
	if len(text) > MaxNote {
		return Proof{}, fmt.Errorf("proof has %d bytes, want at most %d", len(text), MaxNote)
	}
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	if !ok {
		return Proof{}, errors.New("proof has no empty line before its checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != proofTitle {
		return Proof{}, fmt.Errorf("proof does not begin with %q", proofTitle)
	}
	p := Proof{Checkpoint: []byte(checkpoint)}
	lines = lines[1:]
	if len(lines) > 0 {
		if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
			var err error
			if p.Extra, err = base64.StdEncoding.DecodeString(extra); err != nil {
				return Proof{}, fmt.Errorf("proof has extra data that is not base64: %w", err)
			}
			lines = lines[1:]
		}
	}
	if len(lines) == 0 {
		return Proof{}, errors.New("proof has no index")
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	if !ok {
		return Proof{}, fmt.Errorf("proof says %q where its index belongs", lines[0])
	}
	var err error
	if p.Index, err = strconv.ParseInt(index, 10, 64); err != nil {
		return Proof{}, fmt.Errorf("proof has index %q, which is not a whole number", index)
	}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Proof{}, fmt.Errorf("proof has hash %q: %w", line, err)
		}
		p.Path = append(p.Path, h)
	}
	if err := p.check(); err != nil {
		return Proof{}, err
	}
	if !bytes.Equal(p.append(nil), text) {
		return Proof{}, errors.New("proof is not written in the canonical way")
	}
	return p, nil
}

// Verify returns the checkpoint that p rests on if p shows that the leaf with
// these canonical bytes is in the log origin, as signed by a trusted key. The
// leaf must itself say the index at which it is.
func (p Proof) Verify(leaf []byte, trusted Verifiers, origin string) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, trusted, origin)
	if err != nil {
		return Checkpoint{}, err
	}
	l, err := ParseLeaf(leaf)
	if err != nil {
		return Checkpoint{}, err
	}
	if l.Seq != p.Index {
		return Checkpoint{}, fmt.Errorf("the proof is of leaf %d, the leaf says that it is %d: %w", p.Index, l.Seq, ErrProof)
	}
	if err := VerifyInclusion(p.Path, c.Head, p.Index, leaf); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

func (p Proof) check() error {
	switch {
	case p.Index < 0 || p.Index >= MaxSize:
		return fmt.Errorf("proof has index %d, want 0 to %d", p.Index, int64(MaxSize)-1)
	case len(p.Path) > maxPath:
		return fmt.Errorf("proof has %d hashes, want at most %d", len(p.Path), maxPath)
	case len(p.Checkpoint) == 0:
		return errors.New("proof has no checkpoint")
	}
	return nil
}

func (p Proof) append(b []byte) []byte {
	b = append(b, proofTitle+"\n"...)
	if len(p.Extra) > 0 {
		b = append(base64.StdEncoding.AppendEncode(append(b, "extra "...), p.Extra), '\n')
	}
	b = append(strconv.AppendInt(append(b, "index "...), p.Index, 10), '\n')
	for _, h := range p.Path {
		b = append(append(b, h.String()...), '\n')
	}
	b = append(b, '\n')
	return append(b, p.Checkpoint...)
}
