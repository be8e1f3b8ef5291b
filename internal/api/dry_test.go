package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"clusy.io/clusy/internal/wire"
)

// So many dry runs are planned at once; the next one waits, and its client may
// give up.
func TestDryRunsWaitForEachOther(t *testing.T) {
	s, _, _ := newDesk(t, 4)
	ctx := wire.WithCaller(t.Context(), wire.Caller{Tenant: "acme", Principal: "user:dry"})
	ask := &planned{Body: wire.ShapeOut(hours(2, 20).Shape)}
	got, err := s.dryRun(ctx, ask)
	if err != nil || !got.Body.Feasible || got.Body.Placement == nil {
		t.Fatalf("it says %+v, %v", got, err)
	}
	for range dryRuns {
		s.dry() <- struct{}{}
	}
	gone, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if _, err := s.dryRun(gone, ask); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with all hands full it says %v", err)
	}
	<-s.dry()
	if _, err := s.dryRun(ctx, ask); err != nil {
		t.Error(err)
	}
}
