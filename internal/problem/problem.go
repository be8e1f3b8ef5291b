// Package problem holds the few kinds of error that cross a border: what a
// customer is told, in words that name the field, the value, the limit and the
// way out. Everything else is our own trouble and is shown as Internal.
package problem

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of answer an error is. The api room maps each to one
// HTTP status and the command line to one exit code.
type Kind string

const (
	Invalid    Kind = "invalid"    // the request breaks a rule that it could keep
	Denied     Kind = "denied"     // no identity, or no permission
	NotFound   Kind = "not-found"  // no such thing, or not one the caller may know of
	Conflict   Kind = "conflict"   // the thing is not in a state that allows it
	Infeasible Kind = "infeasible" // well-formed work that cannot be done in time, place or budget
	Limited    Kind = "limited"    // too much, too fast, or too large
	Unready    Kind = "unready"    // try again later: a part we need is away
	Internal   Kind = "internal"   // our fault; the cause is logged and not shown
)

// Violation is one broken rule. An error lists all of them, not the first.
type Violation struct {
	Pointer string // JSON pointer into the request body, "" for the whole
	Message string // one sentence that a person can act on
	Value   string // what was given, "" if it was absent or must not be repeated
	Limit   string // the rule, "" if the message says it all
	Nearest string // the nearest value that would do, "" if there is none
}

// Error is an answer to a customer. Cause is for the log: it is not shown.
type Error struct {
	Kind       Kind
	Detail     string
	Violations []Violation
	// NearestCompleteBy is the earliest completeBy that could be kept, where
	// that is what failed; zero otherwise.
	NearestCompleteBy time.Time
	Cause             error
}

// Errorf returns an error of kind k whose text is for the customer, with all
// that %w brings into it. Where a cause must not be shown, set Cause instead.
func Errorf(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Detail: err.Error(), Cause: errors.Unwrap(err)}
}

// With returns an error of kind k that lists every violation.
func With(k Kind, detail string, vs ...Violation) *Error {
	return &Error{Kind: k, Detail: detail, Violations: vs}
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	for _, v := range e.Violations {
		b.WriteString("\n  ")
		if v.Pointer != "" {
			b.WriteString(v.Pointer + ": ")
		}
		b.WriteString(v.Message)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first problem in err's chain, Internal if
// there is none, and "" for a nil error.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var p *Error
	if errors.As(err, &p) {
		return p.Kind
	}
	return Internal
}

// Is reports whether err is a problem of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
