package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/wire"
)

// reply answers a question about what only the enclave can see. The answer is
// sealed to the asker's key: the server that carries it cannot read it.
func (a *Agent) reply(ask clusy.Ask) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	r := clusy.Reply{ID: ask.ID}
	sealed, err := a.sealedReply(ctx, ask)
	if err != nil {
		// The reason is the enclave's own words about its own engine: it
		// names no part of an intent.
		r.Error = err.Error()
	}
	r.Sealed = sealed
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replies = append(a.replies, r)
	a.tell()
}

func (a *Agent) sealedReply(ctx context.Context, ask clusy.Ask) ([]byte, error) {
	viewer, err := intent.ParsePublic(ask.Viewer)
	if err != nil {
		return nil, errors.New("the viewer's key cannot be read")
	}
	var answer any
	purpose := clusy.SealNames
	switch ask.What {
	case "names":
		answer = a.names(ask)
	case "logs":
		purpose = clusy.SealLogs
		if answer, err = a.logs(ctx, ask); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("there is no question %q here", ask.What)
	}
	plain, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return intent.SealTo(viewer, purpose, nil, plain)
}

// names opens what the server holds sealed, for the one who asks. What does
// not open here has no name here.
func (a *Agent) names(ask clusy.Ask) clusy.Names {
	out := clusy.Names{Names: map[string]string{}}
	for _, item := range ask.Items {
		if item.Shape == nil {
			continue
		}
		if in, err := intent.Open(item.Sealed, a.Key, wire.ShapeIn(*item.Shape)); err == nil && in.Metadata.Name != "" {
			out.Names[item.Workload] = in.Metadata.Name
		}
	}
	return out
}

// logLimit is how much output one answer holds at most.
const logLimit = 256 << 10

func (a *Agent) logs(ctx context.Context, ask clusy.Ask) (clusy.LogChunk, error) {
	if len(ask.Items) != 1 {
		return clusy.LogChunk{}, errors.New("logs are asked for one workload at a time")
	}
	h, err := a.attempt(ask.Items[0].Workload, ask.Attempt)
	if err != nil {
		return clusy.LogChunk{}, err
	}
	limit := ask.Limit
	if limit <= 0 || limit > logLimit {
		limit = logLimit
	}
	// Looked at before the output is read: what ended before has nothing more.
	o, err := a.Executor.Observe(ctx, h)
	if err != nil {
		return clusy.LogChunk{}, fmt.Errorf("look at the attempt: %w", err)
	}
	c, err := a.Executor.Logs(ctx, h, ask.Offset, limit)
	if errors.Is(err, executor.ErrAbsent) {
		return clusy.LogChunk{}, nil // not started yet
	}
	if err != nil {
		return clusy.LogChunk{}, fmt.Errorf("read its output: %w", err)
	}
	out := clusy.LogChunk{Data: c.Data, Offset: c.Offset, Next: c.Next, Ended: !o.Phase.Live() && c.Next >= c.Size}
	if ask.Offset >= 0 && c.Offset > ask.Offset {
		out.Lost = c.Offset - ask.Offset
	}
	return out, nil
}

// attempt returns the task of a workload's attempt here; 0 is the newest.
func (a *Agent) attempt(workload string, n int) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found *hold
	for _, h := range a.holds {
		if h.Workload == workload && (n == 0 && (found == nil || h.N > found.N) || n != 0 && h.N == n) {
			found = h
		}
	}
	if found == nil {
		which := "no attempt"
		if n > 0 {
			which = "no attempt " + strconv.Itoa(n)
		}
		return "", errors.New(strings.TrimSpace(which + " of this workload has been here"))
	}
	return found.task(), nil
}
