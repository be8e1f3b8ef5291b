package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxEntry is more bytes than any entry has: one hour cut into its most pieces.
const MaxEntry = 4 << 20

// Marshal returns e as compact JSON, with the fields in the order of their
// types. It is the body that a leaf of the log commits to: the same entry
// gives the same bytes everywhere.
func Marshal(e Entry) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write entry: %w", err)
	}
	return b, nil
}

// Unmarshal reads what Marshal writes and nothing else: no other field, order,
// space or way to write a number. It does not check the sums: that is
// Recompute.
func Unmarshal(b []byte) (Entry, error) {
	if len(b) > MaxEntry {
		return Entry{}, fmt.Errorf("read entry: it has %d bytes, want at most %d", len(b), MaxEntry)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var e Entry
	if err := d.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	// Whatever the decoder let through (a tail, a field twice, another case, a
	// missing field) is found here: only the canonical bytes come out again.
	if again, err := Marshal(e); err != nil || !bytes.Equal(again, b) {
		return Entry{}, errors.New("read entry: it is not written in the canonical way")
	}
	return e, nil
}

// Digest names e by its content: the hex SHA-256 of its canonical bytes.
func Digest(e Entry) (string, error) {
	b, err := Marshal(e)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
