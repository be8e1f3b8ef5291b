package dial

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Line leads to one destination and nowhere else. It is safe for use by several
// goroutines.
type Line struct {
	base   *url.URL
	agent  string
	o      Options
	client *http.Client
}

// Request is one question. Path is added to the destination's, and is plain
// text that has not been escaped.
type Request struct {
	Method string // GET if it is not given
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Answer is what came back, read to its end. The status may be any but a
// redirection.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Refused is the error of a connection or an answer that Clusy does not take.
type Refused struct {
	Host string
	Why  string
}

func (r *Refused) Error() string {
	if r.Host == "" {
		return r.Why
	}
	return fmt.Sprintf("%s: %s", r.Host, r.Why)
}

// Host returns the host that the line leads to, with the port if it has one.
func (l *Line) Host() string { return l.base.Host }

// Do sends one request and reads the whole answer, within the Exchange's
// patience. It makes one attempt. Its errors name the host and never the path,
// the query or a header, as these may hold a key.
func (l *Line) Do(ctx context.Context, q Request) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.Patience, errPatience)
	defer cancel()
	u := *l.base
	if q.Path != "" {
		u.Path += "/" + strings.TrimLeft(q.Path, "/")
	}
	if strings.Contains(u.Path+"/", "/../") {
		return Answer{}, &Refused{l.base.Host, "the path leads out of the destination"}
	}
	u.RawQuery = q.Query.Encode()
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(q.Body))
	if err != nil {
		return Answer{}, &Refused{l.base.Host, "the request cannot be formed"}
	}
	for k, v := range q.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	req.Header.Set("User-Agent", l.agent)
	res, err := l.client.Do(req)
	if err != nil {
		return Answer{}, l.plain(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 && res.StatusCode < 400 && res.StatusCode != http.StatusNotModified {
		return Answer{}, &Refused{l.base.Host, "it redirects to " + hostOf(res.Header.Get("Location")) + ", and redirections are not followed; set url to where the API is"}
	}
	if enc := res.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return Answer{}, &Refused{l.base.Host, fmt.Sprintf("the answer is encoded as %.20q, want gzip or nothing", enc)}
	}
	// The transport decompresses what it asked for compressed, as it is read:
	// so this bounds the memory, whatever the archive claims to hold.
	body, err := io.ReadAll(io.LimitReader(res.Body, l.o.MostBytes+1))
	if int64(len(body)) > l.o.MostBytes {
		return Answer{}, &Refused{l.base.Host, fmt.Sprintf("the answer has more than %d bytes", l.o.MostBytes)}
	}
	if err != nil {
		return Answer{}, l.plain(ctx, err)
	}
	return Answer{res.StatusCode, res.Header, body}, nil
}

// errPatience tells our own limit from the caller's.
var errPatience = errors.New("no whole answer in time")

// ErrSlow is the error of an answer that took longer than the patience.
var ErrSlow = errors.New("the answer took too long")

// plain says what went wrong without the URL, which may hold a key.
func (l *Line) plain(ctx context.Context, err error) error {
	host := l.base.Host
	if errors.Is(context.Cause(ctx), errPatience) {
		return fmt.Errorf("%s: %w: more than %s", host, ErrSlow, l.o.Patience)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", host, ctx.Err())
	}
	if r, ok := errors.AsType[*Refused](err); ok {
		return &Refused{host, r.Why}
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if de, ok := errors.AsType[*net.DNSError](err); ok {
		if de.IsNotFound {
			return fmt.Errorf("%s: there is no such host", host)
		}
		return fmt.Errorf("%s: its address cannot be looked up", host)
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %s: %w", host, oe.Op, oe.Err)
	}
	if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Refused{host, "its certificate is not trusted: " + ce.Err.Error()}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the answer broke off: %w", host, io.ErrUnexpectedEOF)
	}
	// What is left quotes the answer at most, and that may echo the request:
	// the kind of error is enough.
	text := err.Error()
	switch {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return &Refused{host, "it speaks plain http where https was expected"}
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list"):
		return &Refused{host, fmt.Sprintf("the headers of the answer have more than %d bytes", mostHeaders)}
	case strings.Contains(text, "gzip"), strings.Contains(text, "flate"):
		return &Refused{host, "the answer says it is gzip and is not"}
	case strings.Contains(text, "tls:"):
		return &Refused{host, "no secure connection could be agreed on (TLS 1.2 or later)"}
	}
	return fmt.Errorf("%s: the answer is not HTTP that can be read", host)
}

// hostOf returns the host of a redirection, which is all of it that may be
// printed.
func hostOf(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return "elsewhere"
	}
	return fmt.Sprintf("%.80q", u.Hostname())
}

// Patience returns how long one answer may take.
func (l *Line) Patience() time.Duration { return l.o.Patience }
