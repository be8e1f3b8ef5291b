package clusy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Change is one entry of the log as a watcher sees it: an event, or a line of
// the ledger.
type Change struct {
	Index int64
	Event *Event
	Entry *LedgerEntry
}

// Watch calls f with each change after an index of the log, oldest first, of
// one workload if id is not empty. It stays until ctx ends, f returns an error,
// or the server refuses; where the connection breaks it comes back and goes on
// after the last change that f has seen, so that f misses none and sees none
// twice. It returns f's error, the server's *Problem, or ctx's error.
func (c *Client) Watch(ctx context.Context, id string, after int64, f func(Change) error) error {
	const least, most = 100 * time.Millisecond, 5 * time.Second
	pause := least
	opened := false
	for {
		at := after
		err := c.watchOnce(ctx, id, &after, &opened, f)
		var stopped stopWatch
		var refused *Problem
		switch {
		case errors.As(err, &stopped):
			return stopped.error
		case !opened && err != nil:
			return err // a wrong address is not a stream that broke off
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
			return err
		}
		// It broke off. What came this time shows that the server is well.
		if after > at {
			pause = least
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, most)
	}
}

// stopWatch marks an error after which there is nothing to come back for.
type stopWatch struct{ error }

const (
	// maxLine bounds one line of a stream.
	maxLine = 4 << 20
	// silence is how long a stream may say nothing: a server says something
	// every 15 seconds.
	silence = 50 * time.Second
)

// watchOnce reads one stream until it ends, and moves after along.
func (c *Client) watchOnce(ctx context.Context, id string, after *int64, opened *bool, f func(Change) error) error {
	// A connection that has died without a word is given up.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	dead := time.AfterFunc(silence, stop)
	defer dead.Stop()
	q := url.Values{"watch": {"true"}, "after": {strconv.FormatInt(*after, 10)}}
	if id != "" {
		q.Set("workload", id)
	}
	req, err := http.NewRequestWithContext(ctx, "GET", strings.TrimSuffix(c.URL, "/")+"/v1/events?"+q.Encode(), nil)
	if err != nil {
		return stopWatch{fmt.Errorf("make request: %w", err)}
	}
	req.Header.Set("Accept", "text/event-stream, application/problem+json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	hc := c.HTTP
	if hc == nil {
		hc = http.DefaultClient
	}
	res, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("watch the server at %s: %w", c.URL, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p := &Problem{Title: http.StatusText(res.StatusCode), Status: res.StatusCode}
		b, _ := io.ReadAll(io.LimitReader(res.Body, maxLine))
		_ = json.Unmarshal(b, p)
		return p
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "text/event-stream" {
		return stopWatch{fmt.Errorf("the server at %s answered %q, not a stream: is it a Clusy server?", c.URL, kind)}
	}
	*opened = true
	return readStream(res.Body, func() { dead.Reset(silence) }, after, f)
}

// readStream reads server-sent events. A message counts when the empty line
// behind it has come: half a message is none.
func readStream(r io.Reader, heard func(), after *int64, f func(Change) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	lines.Split(wholeLines)
	var kind string
	var data []byte
	index := int64(-1)
	for lines.Scan() {
		heard()
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			n, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return stopWatch{fmt.Errorf("a message of the stream has the id %q", value)}
			}
			index = n
		case "event":
			kind = string(value)
		case "data":
			data = append(data, value...)
		case "":
			if len(lines.Bytes()) > 0 {
				continue // a comment
			}
			if err := deliver(kind, index, data, after, f); err != nil {
				return err
			}
			kind, data = "", nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return stopWatch{fmt.Errorf("a line of the stream is over %d bytes", maxLine)}
	}
	return lines.Err()
}

// wholeLines splits at line ends, and drops what a broken connection leaves of
// a line: half of "id: 17" says something else.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

func deliver(kind string, index int64, data []byte, after *int64, f func(Change) error) error {
	if len(data) == 0 || index <= *after {
		return nil
	}
	c := Change{Index: index}
	var to any
	switch kind {
	case "event":
		c.Event = &Event{}
		to = c.Event
	case "entry":
		c.Entry = &LedgerEntry{}
		to = c.Entry
	default:
		return nil // of a newer server
	}
	if err := json.Unmarshal(data, to); err != nil {
		return stopWatch{fmt.Errorf("read message %d of the stream: %w", index, err)}
	}
	if err := f(c); err != nil {
		return stopWatch{err}
	}
	*after = index
	return nil
}
