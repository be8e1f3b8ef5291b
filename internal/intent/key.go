package intent

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"clusy.io/clusy/internal/secret"
)

const (
	publicPrefix = "clusy-enclave-1:"
	// The words PRIVATE KEY in the block's type make every secret scanner
	// find a key that strays into a repository.
	privateType = "CLUSY ENCLAVE PRIVATE KEY"
	keyIDDomain = "clusy.io/enclave-key/v1\n"
	keyIDSize   = 16
)

// PublicKey is what anyone may seal to. The zero key seals to nobody.
type PublicKey struct {
	key hpke.PublicKey
	id  [keyIDSize]byte
}

// PrivateKey opens what was sealed to its public half. It prints as dots; the
// way to see it is EncodePrivate.
type PrivateKey struct {
	key    hpke.PrivateKey
	public PublicKey
}

// kem is hybrid: it holds as long as one of ML-KEM-768 and X25519 does.
func kem() hpke.KEM { return hpke.MLKEM768X25519() }

// GenerateKey returns a new key from the system's randomness.
func GenerateKey() (PrivateKey, error) {
	k, err := kem().GenerateKey()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate an enclave key: %w", err)
	}
	return PrivateKey{k, publicKey(k.PublicKey())}, nil
}

// DeriveKey returns the key that a secret of at least 32 bytes stands for, always
// the same one: for a simulation, whose record must come out the same each time.
func DeriveKey(from []byte) (PrivateKey, error) {
	k, err := kem().DeriveKeyPair(from)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("derive an enclave key: %w", err)
	}
	return PrivateKey{k, publicKey(k.PublicKey())}, nil
}

func publicKey(k hpke.PublicKey) PublicKey {
	sum := sha256.Sum256(append([]byte(keyIDDomain), k.Bytes()...))
	return PublicKey{k, [keyIDSize]byte(sum[:keyIDSize])}
}

// Public returns the half that may be given away.
func (k PrivateKey) Public() PublicKey { return k.public }

func (PrivateKey) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(dots)) }
func (PrivateKey) LogValue() slog.Value         { return slog.StringValue(dots) }
func (PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + dots + `"`), nil }

// KeyID names a public key: "ek_" and a hash of 128 bits. It is "" for the zero
// key.
func KeyID(k PublicKey) string {
	if k.key == nil {
		return ""
	}
	return keyIDText(k.id)
}

func keyIDText(id [keyIDSize]byte) string {
	return "ek_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:]))
}

func (k PublicKey) String() string { return KeyID(k) }

// EncodePublic writes k on one line: "clusy-enclave-1:" and base64url.
func EncodePublic(k PublicKey) string {
	if k.key == nil {
		return ""
	}
	return publicPrefix + base64.RawURLEncoding.EncodeToString(k.key.Bytes())
}

// ParsePublic reads what EncodePublic wrote.
func ParsePublic(text string) (PublicKey, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), publicPrefix)
	if !ok {
		return PublicKey{}, fmt.Errorf("read an enclave's public key: it does not begin with %q", publicPrefix)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return PublicKey{}, errors.New("read an enclave's public key: not base64url")
	}
	k, err := kem().NewPublicKey(b)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read an enclave's public key: %w", err)
	}
	return publicKey(k), nil
}

// EncodePrivate writes k as the text of its file, a PEM block. To keep that
// file to its owner (mode 0600) is the caller's duty.
func EncodePrivate(k PrivateKey) (secret.Secret, error) {
	if k.key == nil {
		return "", errors.New("write an enclave key: there is none")
	}
	b, err := k.key.Bytes()
	if err != nil {
		return "", fmt.Errorf("write an enclave key: %w", err)
	}
	return secret.Secret(pem.EncodeToMemory(&pem.Block{Type: privateType, Headers: map[string]string{"Key-Id": KeyID(k.public)}, Bytes: b})), nil
}

// ParsePrivate reads what EncodePrivate wrote. No error repeats any of it.
func ParsePrivate(text secret.Secret) (PrivateKey, error) {
	block, after := pem.Decode([]byte(text.Reveal()))
	switch {
	case block == nil || block.Type != privateType:
		return PrivateKey{}, fmt.Errorf("read an enclave key: the file holds no %s block", privateType)
	case len(bytes.TrimSpace(after)) > 0:
		return PrivateKey{}, errors.New("read an enclave key: the file goes on after the key")
	}
	k, err := kem().NewPrivateKey(block.Bytes)
	if err != nil {
		return PrivateKey{}, errors.New("read an enclave key: the key is damaged")
	}
	public := publicKey(k.PublicKey())
	if id := block.Headers["Key-Id"]; id != KeyID(public) {
		return PrivateKey{}, errors.New("read an enclave key: the key is not the one that its header names")
	}
	return PrivateKey{k, public}, nil
}
