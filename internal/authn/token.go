// Package authn says who a request comes from. It knows bearer tokens; what
// their holder may do, access decides.
package authn

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"

	"clusy.io/clusy/internal/secret"
)

// A token is "clsy_", 43 characters of base62 that carry 256 random bits, and
// 6 that check them: a typing error is found without asking the store, and a
// leak is found by anyone who searches for the prefix.
const (
	prefix     = "clsy_"
	bodyLen    = 43
	checkLen   = 6
	alphabet62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a token from 32 random bytes of r.
func NewToken(r io.Reader) (secret.Secret, error) {
	var b [32]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	body := base62(new(big.Int).SetBytes(b[:]), bodyLen)
	return secret.Secret(prefix + body + check(body)), nil
}

// Hash returns what the store keeps of a token. It reports false for text
// that cannot be one: wrong prefix, length, alphabet or check.
func Hash(token secret.Secret) (hash []byte, ok bool) {
	text, found := strings.CutPrefix(token.Reveal(), prefix)
	if !found || len(text) != bodyLen+checkLen {
		return nil, false
	}
	if strings.Trim(text, alphabet62) != "" || check(text[:bodyLen]) != text[bodyLen:] {
		return nil, false
	}
	sum := sha256.Sum256([]byte(token.Reveal()))
	return sum[:], true
}

func check(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(prefix+body)))), checkLen)
}

// base62 writes n in width digits.
func base62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(62), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = alphabet62[digit.Int64()]
	}
	return string(out)
}
