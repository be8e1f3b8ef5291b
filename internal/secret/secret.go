// Package secret holds text that must not be printed. A Secret prints as dots
// everywhere; the one way to see it is a word that a reviewer can search for.
package secret

import (
	"fmt"
	"log/slog"
)

const dots = "•••"

// Secret is text that prints as dots by every verb of fmt, in logs and in JSON.
// Two places are beyond a type's reach: an unexported field of a struct that is
// printed whole, and the key of a JSON object. Put a Secret in neither.
type Secret string

// Reveal returns the text. Each call is a place to review.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string               { return dots }
func (Secret) GoString() string             { return dots }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(dots)) }
func (Secret) MarshalText() ([]byte, error) { return []byte(dots), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(dots) }
