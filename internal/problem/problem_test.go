package problem_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"clusy.io/clusy/internal/problem"
)

var kinds = []problem.Kind{
	problem.Invalid, problem.Denied, problem.NotFound, problem.Conflict,
	problem.Infeasible, problem.Limited, problem.Unready, problem.Internal,
}

func TestKindOf(t *testing.T) {
	if k := problem.KindOf(nil); k != "" {
		t.Errorf("no error is a problem: %q", k)
	}
	// What we have not put into words is our own trouble.
	if k := problem.KindOf(io.ErrUnexpectedEOF); k != problem.Internal {
		t.Errorf("a foreign error is %q", k)
	}
	seen := map[problem.Kind]bool{}
	for _, k := range kinds {
		if seen[k] || k == "" {
			t.Errorf("kind %q is there twice, or empty", k)
		}
		seen[k] = true
		err := fmt.Errorf("submit: %w", fmt.Errorf("workload 3: %w", problem.Errorf(k, "no")))
		if got := problem.KindOf(err); got != k {
			t.Errorf("wrapped %q is %q", k, got)
		}
		for _, other := range kinds {
			if problem.Is(err, other) != (k == other) {
				t.Errorf("%q is %q: %v", k, other, k != other)
			}
		}
		if problem.Is(nil, k) {
			t.Errorf("no error is %q", k)
		}
	}
	// The first one in the chain is what the customer is told.
	inner := problem.Errorf(problem.NotFound, "no such site")
	outer := problem.Errorf(problem.Invalid, "bad place: %w", inner)
	if k := problem.KindOf(outer); k != problem.Invalid {
		t.Errorf("the outer one is %q", k)
	}
	if k := problem.KindOf(errors.Join(io.EOF, inner)); k != problem.NotFound {
		t.Errorf("joined: %q", k)
	}
}

func TestErrorf(t *testing.T) {
	err := problem.Errorf(problem.Limited, "tenant %s may run %d at once", "acme", 3)
	if err.Kind != problem.Limited || err.Error() != "tenant acme may run 3 at once" || err.Unwrap() != nil || err.Violations != nil {
		t.Errorf("%+v", err)
	}
	err = problem.Errorf(problem.Unready, "the store is away: %w", io.ErrClosedPipe)
	if !errors.Is(err, io.ErrClosedPipe) || err.Cause != io.ErrClosedPipe {
		t.Errorf("the cause is lost: %+v", err)
	}
}

// All that is wrong is told at once, each with its place.
func TestWith(t *testing.T) {
	err := problem.With(problem.Invalid, "the intent has 2 errors",
		problem.Violation{Pointer: "/when/completeBy", Message: "is in the past", Value: "2020-01-01", Limit: "now", Nearest: "2026-01-01"},
		problem.Violation{Message: "nothing to run"},
	)
	const want = "the intent has 2 errors\n  /when/completeBy: is in the past\n  nothing to run"
	if err.Error() != want || len(err.Violations) != 2 || err.Kind != problem.Invalid {
		t.Errorf("says\n%s\nwant\n%s", err, want)
	}
}

// A cause that is set apart is for the log: it is found, and not shown.
func TestCauseIsNotShown(t *testing.T) {
	err := &problem.Error{Kind: problem.Internal, Detail: "something broke", Cause: io.ErrUnexpectedEOF}
	if err.Error() != "something broke" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q", err.Error())
	}
}
