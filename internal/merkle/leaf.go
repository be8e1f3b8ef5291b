package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	// LeafVersion is the one version of the leaf format.
	LeafVersion = 1

	// SaltSize is the length of a salt in bytes. It is as long as the hash, so
	// that nobody can find a short body by trying them all.
	SaltSize = 32

	// MaxLeaf is more bytes than any leaf has.
	MaxLeaf = 512

	maxKind = 64
	noPrev  = -1
)

// Leaf is one line of the log, of an event or of a ledger entry alike. It says
// in the open when, what kind, and whose by a pseudonym; what happened is
// behind Commit, so that witnesses see no content, and a tenant's bodies can
// be destroyed while every proof stays good.
//
// Its canonical bytes are nine lines of ASCII, each ended by a newline, with
// no other spaces, no leading zeros and no plus signs:
//
//	clusy leaf            what this is
//	v 1                   V, the version of the format
//	seq 12                Seq, the leaf's index in the log, from 0
//	at 1767225600000000   At, microseconds since 1970 UTC
//	tag 0123…             Tag, 32 lower-case hex digits
//	kind workload.moved   Kind, 1 to 64 of a–z 0–9 . -
//	tenant-seq 3          TenantSeq, the leaf's index among its tenant's, from 0
//	tenant-prev 9         TenantPrev, Seq of the tenant's leaf before, or -1
//	commit 0123…          Commit, 64 lower-case hex digits
//
// At is as the writer's clock said and need not rise from leaf to leaf: the
// order of the log is Seq.
type Leaf struct {
	V          int
	Seq        int64
	At         int64 // microseconds since 1970 UTC
	Tag        string
	Kind       string
	TenantSeq  int64
	TenantPrev int64 // -1 if there is none
	Commit     Hash
}

const leafTitle = "clusy leaf\n"

// Marshal returns l's canonical bytes, or an error if l breaks a rule of the
// format: a leaf that ParseLeaf would refuse is never written.
func (l Leaf) Marshal() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return l.append(make([]byte, 0, 256)), nil
}

// ParseLeaf reads canonical bytes and only those: for each b that it accepts,
// Marshal of the leaf gives b again.
func ParseLeaf(b []byte) (Leaf, error) {
	if len(b) > MaxLeaf {
		return Leaf{}, fmt.Errorf("leaf has %d bytes, want at most %d", len(b), MaxLeaf)
	}
	rest, ok := strings.CutPrefix(string(b), leafTitle)
	if !ok {
		return Leaf{}, fmt.Errorf("leaf does not begin with %q", leafTitle)
	}
	var l Leaf
	var v, commit string
	for _, line := range []struct {
		name string
		text *string
		n    *int64
	}{
		{"v", &v, nil}, {"seq", nil, &l.Seq}, {"at", nil, &l.At}, {"tag", &l.Tag, nil}, {"kind", &l.Kind, nil},
		{"tenant-seq", nil, &l.TenantSeq}, {"tenant-prev", nil, &l.TenantPrev}, {"commit", &commit, nil},
	} {
		var text string
		if rest, ok = strings.CutPrefix(rest, line.name+" "); ok {
			text, rest, ok = strings.Cut(rest, "\n")
		}
		if !ok {
			return Leaf{}, fmt.Errorf("leaf has no line %q where it belongs", line.name)
		}
		if line.text != nil {
			*line.text = text
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Leaf{}, fmt.Errorf("leaf says %s %q, which is not a whole number", line.name, text)
		}
		*line.n = n
	}
	if v != strconv.Itoa(LeafVersion) {
		return Leaf{}, fmt.Errorf("leaf has version %q, want %d", v, LeafVersion)
	}
	l.V = LeafVersion
	if n, err := hex.Decode(l.Commit[:], []byte(commit[:min(len(commit), 2*len(l.Commit))])); err != nil || n != len(l.Commit) {
		return Leaf{}, fmt.Errorf("leaf has commit %q, want %d hex digits", commit, 2*len(l.Commit))
	}
	if err := l.check(); err != nil {
		return Leaf{}, err
	}
	// Whatever the steps above let through (a plus sign, a leading zero, upper
	// case, a tail) is found here: only the canonical bytes come out again.
	if !bytes.Equal(l.append(make([]byte, 0, len(b))), b) {
		return Leaf{}, fmt.Errorf("leaf %d is not written in the canonical way", l.Seq)
	}
	return l, nil
}

func (l Leaf) append(b []byte) []byte {
	b = append(b, leafTitle...)
	b = strconv.AppendInt(append(b, "v "...), int64(l.V), 10)
	b = strconv.AppendInt(append(b, "\nseq "...), l.Seq, 10)
	b = strconv.AppendInt(append(b, "\nat "...), l.At, 10)
	b = append(append(b, "\ntag "...), l.Tag...)
	b = append(append(b, "\nkind "...), l.Kind...)
	b = strconv.AppendInt(append(b, "\ntenant-seq "...), l.TenantSeq, 10)
	b = strconv.AppendInt(append(b, "\ntenant-prev "...), l.TenantPrev, 10)
	b = hex.AppendEncode(append(b, "\ncommit "...), l.Commit[:])
	return append(b, '\n')
}

// check says what about l alone cannot be. How leaves follow one another is
// for Chain and Auditor.
func (l Leaf) check() error {
	switch {
	case l.V != LeafVersion:
		return fmt.Errorf("leaf %d has version %d, want %d", l.Seq, l.V, LeafVersion)
	case l.Seq < 0 || l.Seq >= MaxSize:
		return fmt.Errorf("leaf has seq %d, want 0 to %d", l.Seq, int64(MaxSize)-1)
	case l.At < 0:
		return fmt.Errorf("leaf %d is from before 1970 (at %d)", l.Seq, l.At)
	case len(l.Tag) != 2*tagSize || !only(l.Tag, "0123456789abcdef"):
		return fmt.Errorf("leaf %d has tag %q, want %d hex digits", l.Seq, l.Tag, 2*tagSize)
	case l.Kind == "" || len(l.Kind) > maxKind || !only(l.Kind, "abcdefghijklmnopqrstuvwxyz0123456789.-"):
		return fmt.Errorf("leaf %d has kind %q, want 1 to %d of a-z 0-9 . -", l.Seq, l.Kind, maxKind)
	case l.TenantSeq < 0 || l.TenantSeq > l.Seq:
		return fmt.Errorf("leaf %d has tenant-seq %d, want 0 to %d", l.Seq, l.TenantSeq, l.Seq)
	case l.TenantSeq == 0 && l.TenantPrev != noPrev:
		return fmt.Errorf("leaf %d is its tenant's first but names %d as the one before", l.Seq, l.TenantPrev)
	case l.TenantSeq > 0 && (l.TenantPrev < l.TenantSeq-1 || l.TenantPrev >= l.Seq):
		return fmt.Errorf("leaf %d is its tenant's number %d but names %d as the one before, want %d to %d",
			l.Seq, l.TenantSeq, l.TenantPrev, l.TenantSeq-1, l.Seq-1)
	}
	return nil
}

func only(s, set string) bool {
	return strings.Trim(s, set) == ""
}

// Commit returns the hash that binds a leaf to its body without showing it:
//
//	SHA-256("clusy.io/commit/v1\n" ‖ len(salt) as 8 bytes, big-endian ‖ salt ‖ body)
//
// The first line keeps it apart from every other hash of the house; the length
// keeps a salt and a body that are cut elsewhere apart.
func Commit(salt, body []byte) Hash {
	h := sha256.New()
	h.Write([]byte("clusy.io/commit/v1\n"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(salt))))
	h.Write(salt)
	h.Write(body)
	return Hash(h.Sum(nil))
}

const tagSize = 16

// Tag returns the name that tenant goes by in the leaves of the log origin:
//
//	the first 16 bytes of SHA-256("clusy.io/tag/v1\n" ‖ origin ‖ "\n" ‖ tenant), in hex
//
// It is a pseudonym and no secret: who can guess a tenant's id can check the
// guess. The origin makes one tenant's tags differ from log to log. The
// tenant "" is the house itself.
func Tag(origin, tenant string) string {
	sum := sha256.Sum256([]byte("clusy.io/tag/v1\n" + origin + "\n" + tenant))
	return hex.EncodeToString(sum[:tagSize])
}
