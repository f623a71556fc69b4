package imagepull

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"banger/internal/model"
)

// homebound keeps the credentials of a registry from other hosts. A registry
// names its token server itself (distribution-spec, "Token Authentication"),
// and that may redirect: without a bound, whoever has the registry's name
// gets the password sent to wherever he likes.
type homebound struct {
	inner    http.RoundTripper
	registry string   // host or host:port
	others   []string // hosts that the user trusts with it
}

// RoundTrip refuses requests that carry a secret to a foreign host: a
// password is in the Authorization header, an identity token in the body.
// Bearer tokens are left to the transport above, which sends those of the
// registry to the registry alone.
func (t homebound) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := strings.HasPrefix(req.Header.Get("Authorization"), "Basic ") || req.Body != nil
	if secret && !t.mayHave(req.URL) {
		return nil, model.Errorf(model.CodeUnauthorized, "registry %s wants its credentials sent to %s: refused", t.registry, req.URL.Host).
			WithHint("if that is its token server, name it in image.token_hosts (see banger config show)")
	}
	return t.inner.RoundTrip(req)
}

// mayHave reports whether u leads to the registry itself, to a host of the
// same owner by TLS, or to one that the user trusts.
func (t homebound) mayHave(u *url.URL) bool {
	own := url.URL{Scheme: u.Scheme, Host: t.registry}
	switch {
	case strings.EqualFold(u.Hostname(), own.Hostname()) && portOf(u) == portOf(&own):
		return true
	case u.Scheme != "https":
		return false
	case slices.Contains(t.others, strings.ToLower(u.Hostname())):
		return true
	}
	return sameOwner(own.Hostname(), u.Hostname())
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// sameOwner reports whether two names were given out to one owner: they agree
// up to the label below the public suffix (publicsuffix.org). Addresses have
// no owner.
func sameOwner(a, b string) bool {
	for _, host := range []string{a, b} {
		if _, err := netip.ParseAddr(host); err == nil {
			return false
		}
	}
	ofA, errA := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(a))
	ofB, errB := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(b))
	return errA == nil && errB == nil && ofA == ofB
}
