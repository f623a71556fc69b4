package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"banger/internal/model"
)

// A server that does not answer is left within these.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 15 * time.Second
	stallTimeout  = 60 * time.Second
)

// NewTransport returns a transport that refuses plain HTTP to anything but
// this host, and ends what stalls: connecting, waiting for an answer, and a
// body of which nothing comes for a minute.
func NewTransport() http.RoundTripper {
	return transport{stall: stallTimeout, inner: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  answerTimeout,
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

type transport struct {
	inner http.RoundTripper
	stall time.Duration
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !IsLoopback(req.URL.Hostname()) {
		return nil, model.Errorf(model.CodeUnsupported, "plain HTTP to %s is refused", req.URL.Host).
			WithHint("only a server on this host may do without TLS")
	}
	resp, err := t.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = newWatched(resp.Body, req.URL.Host, t.stall)
	return resp, nil
}

// IsLoopback tells whether host is a name or an address of this host.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	return ip.Unmap().IsLoopback()
}
