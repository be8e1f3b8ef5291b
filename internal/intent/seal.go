package intent

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"

	"clusy.io/clusy/internal/workload"
)

// sealInfo is the purpose of a sealed intent. Bytes that were sealed for one
// purpose do not open for another.
const sealInfo = "clusy.io/intent/v1"

// An envelope is: magic, version, suite, key id, encapsulated key, ciphertext.
// All before the encapsulated key is bound into the ciphertext, and the
// encapsulated key is by HPKE itself, so that no byte can be changed.
const (
	magic   = "CLSY"
	version = 1
	// suite 1 is MLKEM768-X25519, HKDF-SHA256, AES-256-GCM. A FIPS profile
	// would be suite 2.
	suite      = 1
	headerSize = len(magic) + 2 + keyIDSize
	encSize    = 1120 // of MLKEM768-X25519
	tagSize    = 16
	// Overhead is how much longer sealed bytes are than their plaintext.
	Overhead = headerSize + encSize + tagSize

	// MaxPlain is the most that is sealed in one piece.
	MaxPlain = 4 << 20
	// padTo hides the length of an intent, and with it that of its command.
	padTo = 256
)

// ErrOpen is in the chain of every error of Open and OpenFrom: the bytes are
// not what was sealed to this key, for this purpose and with this context.
var ErrOpen = errors.New("cannot open sealed bytes")

// Seal encrypts the whole of in to an enclave's key, bound to that key and to
// the Shape that goes with it: a server that pairs the sealed bytes with
// another shape makes them unreadable.
func Seal(in Intent, to PublicKey) ([]byte, error) {
	b, err := Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("seal an intent: %w", err)
	}
	sealed, err := SealTo(to, sealInfo, intentContext(to, shapeOf(in)), pad(b))
	if err != nil {
		return nil, fmt.Errorf("seal an intent: %w", err)
	}
	return sealed, nil
}

// Open decrypts an intent that came with shape, and refuses it unless shape is
// to the byte what Blind makes of the intent: neither the server nor the sender
// can have one thing planned and another thing run.
func Open(sealed []byte, key PrivateKey, shape workload.Shape) (Intent, error) {
	b, err := OpenFrom(key, sealInfo, intentContext(key.public, shape), sealed)
	if err != nil {
		return Intent{}, fmt.Errorf("open an intent: %w", err)
	}
	b, err = unpad(b)
	if err != nil {
		return Intent{}, fmt.Errorf("open an intent: %w", err)
	}
	in, err := Unmarshal(b)
	if err != nil {
		return Intent{}, fmt.Errorf("open an intent: %w", err)
	}
	if ShapeDigest(shapeOf(in)) != ShapeDigest(shape) {
		return Intent{}, fmt.Errorf("open an intent: its shape is not the one it came with: %w", ErrOpen)
	}
	return in, nil
}

// intentContext is what an intent's ciphertext is bound to beside its header.
func intentContext(to PublicKey, shape workload.Shape) []byte {
	return []byte(sealInfo + "\n" + KeyID(to) + "\n" + ShapeDigest(shape) + "\n")
}

// pad frames b by its length and fills it with zeros to a multiple of padTo.
func pad(b []byte) []byte {
	framed := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	framed = append(framed, b...)
	if rest := len(framed) % padTo; rest > 0 {
		framed = append(framed, make([]byte, padTo-rest)...)
	}
	return framed
}

func unpad(framed []byte) ([]byte, error) {
	if len(framed) < 4 || len(framed)%padTo != 0 {
		return nil, fmt.Errorf("its frame has %d bytes: %w", len(framed), ErrOpen)
	}
	n := binary.BigEndian.Uint32(framed)
	if uint64(n) > uint64(len(framed)-4) {
		return nil, fmt.Errorf("its frame is cut: %w", ErrOpen)
	}
	return framed[4 : 4+n], nil
}

// SealTo encrypts plaintext to a key for the purpose that info names, such as a
// viewer's own key for "clusy.io/logs/v1". The aad is not sealed but bound: who
// opens must give the same. At most MaxPlain bytes are sealed at once.
func SealTo(to PublicKey, info string, aad, plaintext []byte) ([]byte, error) {
	switch {
	case to.key == nil:
		return nil, errors.New("seal: there is no key to seal to")
	case info == "":
		return nil, errors.New("seal: there is no purpose")
	case len(plaintext) > MaxPlain:
		return nil, fmt.Errorf("seal: %d bytes, want at most %d", len(plaintext), MaxPlain)
	}
	enc, sender, err := hpke.NewSender(to.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := header(to)
	ciphertext, err := sender.Seal(bound(head, aad), plaintext)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return append(append(head, enc...), ciphertext...), nil
}

// OpenFrom decrypts what SealTo sealed to key, for the same info and aad.
func OpenFrom(key PrivateKey, info string, aad, sealed []byte) ([]byte, error) {
	id, err := SealedTo(sealed)
	switch {
	case err != nil:
		return nil, err
	case info == "":
		return nil, fmt.Errorf("there is no purpose: %w", ErrOpen)
	case id != KeyID(key.public): // also if there is no key: its id is ""
		return nil, fmt.Errorf("it is sealed to %s, and the key is %s: %w", id, KeyID(key.public), ErrOpen)
	}
	head, enc, ciphertext := sealed[:headerSize], sealed[headerSize:headerSize+encSize], sealed[headerSize+encSize:]
	recipient, err := hpke.NewRecipient(enc, key.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, fmt.Errorf("it was changed: %w", ErrOpen)
	}
	plaintext, err := recipient.Open(bound(head, aad), ciphertext)
	if err != nil {
		return nil, fmt.Errorf("it was changed, or belongs elsewhere: %w", ErrOpen)
	}
	return plaintext, nil
}

// SealedTo returns the id of the key that sealed bytes can be opened with, as
// their envelope says. Nothing but its form is checked.
func SealedTo(sealed []byte) (keyID string, err error) {
	switch {
	case len(sealed) < Overhead:
		return "", fmt.Errorf("it has %d bytes, want at least %d: %w", len(sealed), Overhead, ErrOpen)
	case len(sealed) > Overhead+MaxPlain:
		return "", fmt.Errorf("it has %d bytes, want at most %d: %w", len(sealed), Overhead+MaxPlain, ErrOpen)
	case !bytes.HasPrefix(sealed, []byte(magic)):
		return "", fmt.Errorf("it is not a sealed envelope: %w", ErrOpen)
	case sealed[len(magic)] != version || sealed[len(magic)+1] != suite:
		return "", fmt.Errorf("it is sealed in version %d, suite %d, which this version cannot open: %w", sealed[len(magic)], sealed[len(magic)+1], ErrOpen)
	}
	return keyIDText([keyIDSize]byte(sealed[len(magic)+2 : headerSize])), nil
}

func header(to PublicKey) []byte {
	return append(append([]byte(magic), version, suite), to.id[:]...)
}

// bound joins the envelope's header and the caller's context. The header has
// one length, so that the two cannot be shifted against each other.
func bound(head, aad []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(aad)), head...), aad...)
}
