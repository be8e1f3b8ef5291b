package merkle

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type (
	// Signer signs notes under a name; a log's is its origin.
	Signer = note.Signer
	// Verifier knows the signatures of one key.
	Verifier = note.Verifier
	// Verifiers are the keys that a reader trusts, by name and key hash.
	Verifiers = note.Verifiers
)

// MaxNote is the most bytes that a checkpoint or a proof may have. It leaves
// room for many cosignatures, post-quantum ones too.
const MaxNote = 1 << 18

// GenerateKey makes the key pair of a log from 32 bytes of random: an Ed25519
// key in the text form of C2SP's signed-note. The first must be kept secret.
func GenerateKey(random io.Reader, origin string) (private, public string, err error) {
	if err := CheckOrigin(origin); err != nil {
		return "", "", err
	}
	if random == nil {
		// The library below would take the machine's own randomness.
		return "", "", errors.New("make a key: no source of randomness")
	}
	private, public, err = note.GenerateKey(random, origin)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	return private, public, nil
}

// NewSigner reads the private text form of a key. Its error says nothing of
// the key.
func NewSigner(private string) (Signer, error) {
	s, err := note.NewSigner(private)
	if err != nil {
		return nil, fmt.Errorf("read the log's private key: %w", err)
	}
	return s, nil
}

// NewVerifiers reads the public text forms of the keys that a reader trusts:
// the log's own, and those of witnesses if it has any.
func NewVerifiers(public ...string) (Verifiers, error) {
	var list []Verifier
	for _, p := range public {
		v, err := note.NewVerifier(p)
		if err != nil {
			return nil, fmt.Errorf("read the public key %q: %w", p, err)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}

// Checkpoint is a signed tree head: what the log's key said that the log is.
type Checkpoint struct {
	Origin string
	Head
}

// body is the text that is signed, as C2SP's tlog-checkpoint has it: origin,
// size, base64 root, a line each.
func (c Checkpoint) body() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// Sign returns the checkpoint of a tree as a signed note. The signer's name
// must be the origin, so that the key of one log cannot sign another.
func Sign(signer Signer, origin string, size int64, root Hash) ([]byte, error) {
	if err := CheckOrigin(origin); err != nil {
		return nil, err
	}
	if err := checkSize(size); err != nil {
		return nil, err
	}
	if signer.Name() != origin {
		return nil, fmt.Errorf("the key of %q may not sign for the log %q", signer.Name(), origin)
	}
	c := Checkpoint{origin, Head{size, root}}
	text, err := note.Sign(&note.Note{Text: c.body()}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the %v: %w", c.Head, err)
	}
	return text, nil
}

// OpenCheckpoint verifies a signed checkpoint and reads it. It is strict: the
// log must be the one asked for, a trusted key of that name must have signed,
// and there are no extension lines, as nobody could audit what they say.
// Signatures by keys that nobody named are passed over, as C2SP demands; one
// by a trusted key that is wrong spoils the whole.
func OpenCheckpoint(text []byte, trusted Verifiers, origin string) (Checkpoint, error) {
	if err := CheckOrigin(origin); err != nil {
		return Checkpoint{}, err
	}
	if len(text) > MaxNote {
		return Checkpoint{}, fmt.Errorf("checkpoint has %d bytes, want at most %d", len(text), MaxNote)
	}
	n, err := note.Open(text, trusted)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("open a checkpoint of %s: %w", origin, err)
	}
	byLog := false
	for _, s := range n.Sigs {
		byLog = byLog || s.Name == origin
		// One signature has one text: base64 could otherwise be changed in
		// bits that do not count.
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return Checkpoint{}, fmt.Errorf("the signature by %s is not written in the canonical way", s.Name)
		}
	}
	if !byLog {
		return Checkpoint{}, fmt.Errorf("the checkpoint is not signed by %s itself", origin)
	}
	return parseCheckpoint(n.Text, origin)
}

func parseCheckpoint(body, origin string) (Checkpoint, error) {
	lines := strings.Split(body, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s has %d lines, want 3", origin, len(lines)-1)
	}
	if lines[0] != origin {
		return Checkpoint{}, fmt.Errorf("checkpoint is of the log %q, want %q", lines[0], origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s has size %q", origin, lines[1])
	}
	if err := checkSize(size); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s: %w", origin, err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s has root %q: %w", origin, lines[2], err)
	}
	c := Checkpoint{origin, Head{size, root}}
	if c.body() != body {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s is not written in the canonical way", origin)
	}
	return c, nil
}
