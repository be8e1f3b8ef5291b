// Package dial is the way out: every connection that the control plane opens to
// the outside comes from an Exchange, goes to a destination that was declared
// beforehand with its purpose, and is bounded in time and size.
package dial

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Destination is one place outside that is spoken to, as an operator reads it.
type Destination struct {
	URL     string `json:"url"`           // where its paths begin: https://api.example.com/v3
	Purpose string `json:"purpose"`       // what for
	Sends   string `json:"sends"`         // what is told there
	Via     string `json:"via,omitempty"` // the proxy in between; empty: none
}

// Options are the same for every line of an Exchange. The zero value does.
type Options struct {
	Version string // of Clusy, for the User-Agent
	// Roots are certificates in PEM that are trusted besides the system's.
	Roots []byte
	// Proxy is the URL of a proxy for every line that leaves this machine.
	// What the environment says of proxies is not looked at.
	Proxy string
	// Patience is the time for one whole answer: 20 s if it is not given.
	Patience time.Duration
	// MostBytes is the most of a body, decompressed: 5 MiB if it is not given.
	MostBytes int64
	// Resolver finds the addresses of names: the system's if it is not given.
	Resolver *net.Resolver
}

const (
	defaultPatience = 20 * time.Second
	defaultBytes    = 5 << 20
	mostHeaders     = 64 << 10
)

// Exchange opens lines to declared destinations and remembers them.
type Exchange struct {
	o     Options
	roots *x509.CertPool
	proxy *url.URL

	mu   sync.Mutex
	list []Destination
}

// New returns an Exchange without a destination. The error is about the roots
// or the proxy.
func New(o Options) (*Exchange, error) {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.MostBytes <= 0 {
		o.MostBytes = defaultBytes
	}
	x := &Exchange{o: o}
	if len(o.Roots) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // a machine without roots has the given ones
		}
		if !pool.AppendCertsFromPEM(o.Roots) {
			return nil, errors.New("the extra roots hold no certificate in PEM")
		}
		x.roots = pool
	}
	if o.Proxy != "" {
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, errors.New("the proxy is not a URL as http://proxy.example.com:3128") // it may hold a password
		}
		x.proxy = u
	}
	return x, nil
}

// Destinations returns what was declared, sorted by URL.
func (x *Exchange) Destinations() []Destination {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := slices.Clone(x.list)
	slices.SortStableFunc(list, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Purpose, b.Purpose))
	})
	return list
}

// Line declares a destination and returns the line that leads there. The same
// one may be declared for several purposes.
func (x *Exchange) Line(d Destination) (*Line, error) {
	base, err := parseBase(d.URL)
	if err != nil {
		return nil, err
	}
	if d.Purpose == "" || d.Sends == "" {
		return nil, fmt.Errorf("destination %s does not say its purpose and what is sent there", base.Host)
	}
	home := loopback(base.Hostname())
	t := &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x.roots},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: mostHeaders,
		MaxConnsPerHost:        4,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	d.URL, d.Via = base.String(), ""
	if x.proxy != nil && !home {
		t.Proxy = http.ProxyURL(x.proxy)
		home = loopback(x.proxy.Hostname()) // it is the proxy that is dialled
		d.Via = x.proxy.Scheme + "://" + x.proxy.Host
	}
	dialer := &net.Dialer{
		Timeout:        10 * time.Second,
		Resolver:       x.o.Resolver,
		ControlContext: guard(home),
	}
	t.DialContext = dialer.DialContext
	l := &Line{
		base:  base,
		agent: "clusy/" + cmp.Or(x.o.Version, "dev"),
		o:     x.o,
		client: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Contains(x.list, d) {
		x.list = append(x.list, d)
	}
	return l, nil
}

// parseBase reads where a destination's paths begin.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("the URL of a destination cannot be read; write https://host/path")
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("the URL of destination %s holds a user or password; give them by reference", u.Host)
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the URL of a destination names no host; write https://host/path")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("the URL of destination %s has a query or a fragment; leave what follows ? and # out", u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("the URL of destination %s is plain http, which is for this machine alone; write https", u.Host)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the URL of destination %s has scheme %q, want https", u.Host, u.Scheme)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// loopback reports whether host, as it is written, is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
