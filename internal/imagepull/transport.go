package imagepull

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"banger/internal/model"
)

const (
	dialTimeout  = 5 * time.Second
	maxRedirects = 5
)

// newTransport returns the transport below authentication and retries.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// NewTransport returns how registries are talked to: plain HTTP is refused to
// all but this host.
func NewTransport() http.RoundTripper { return encryptedOnly{newTransport()} }

// encryptedOnly refuses plain HTTP to anything but this host, for a registry,
// its token server and wherever they redirect to alike.
type encryptedOnly struct{ inner http.RoundTripper }

func (t encryptedOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !isLoopback(req.URL.Hostname()) {
		return nil, model.Errorf(model.CodeUnsupported, "plain HTTP to %s is refused", req.URL.Host).
			WithHint("only a registry on this host may do without TLS")
	}
	return t.inner.RoundTrip(req)
}

// checkRedirect lets a registry send us to its blob storage but not to this
// host, its network or a cloud's metadata service.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	from, to := via[0].URL.Hostname(), req.URL.Hostname()
	if from != to && !isLoopback(from) && isInternal(to) {
		return model.Errorf(model.CodeIntegrity, "registry %s redirects to the internal address %s: refused", from, to)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	return ip.Unmap().IsLoopback()
}

// isInternal tells addresses that are no public host's.
func isInternal(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return isLoopback(host)
	}
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
}

// isDialError tells errors that come before a connection is there.
func isDialError(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}
