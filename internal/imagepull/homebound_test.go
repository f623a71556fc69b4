package imagepull_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"banger/internal/imagepull"
	"banger/internal/model"
)

var zeroDigest = "sha256:" + strings.Repeat("0", 64)

// noKeys is an empty keychain.
type noKeys struct{}

func (noKeys) ResolveContext(context.Context, authn.Resource) (authn.Authenticator, error) {
	return authn.Anonymous, nil
}

// keys is a keychain with one entry for every registry.
type keys authn.AuthConfig

func (k keys) ResolveContext(context.Context, authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

// internet answers for every host, and keeps who saw a secret and who was
// asked at all.
type internet struct {
	secrets []string
	answer  func(r *http.Request) (status int, header map[string]string, body string)

	mu    sync.Mutex
	saw   []string // hosts that got a secret
	asked []string
}

func (n *internet) RoundTrip(r *http.Request) (*http.Response, error) {
	text := r.URL.String() + fmt.Sprint(r.Header)
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		text += string(body)
	}
	n.mu.Lock()
	n.asked = append(n.asked, r.URL.Host)
	for _, secret := range n.secrets {
		if strings.Contains(text, secret) && !slices.Contains(n.saw, r.URL.Host) {
			n.saw = append(n.saw, r.URL.Host)
		}
	}
	n.mu.Unlock()
	status, header, body := n.answer(r)
	resp := &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
	for k, v := range header {
		resp.Header.Set(k, v)
	}
	return resp, nil
}

// TestSecretsStayHome lets a registry name token servers and redirect to
// anywhere, and looks who gets the password, the tokens and any request.
func TestSecretsStayHome(t *testing.T) {
	t.Parallel()
	const home = "registry.example.com"
	password := keys{Username: "user", Password: "hunter2"}
	identity := keys{IdentityToken: "identity-secret"}
	direct := keys{RegistryToken: "registry-secret"}
	type place struct{ scheme, realm, tokenTo, layerTo, manifestTo string }
	cases := []struct {
		name  string
		keys  keys
		place place
		sees  []string // who gets a secret
		never []string // who is not asked at all
	}{
		{"own realm", password, place{realm: "https://registry.example.com/token"}, []string{home}, nil},
		{"own realm, identity token", identity, place{realm: "https://registry.example.com/token"}, []string{home}, nil},
		{"own realm, registry token", direct, place{realm: "https://registry.example.com/token"}, []string{home}, nil},
		{"basic", password, place{scheme: "Basic"}, []string{home}, nil},
		{"sibling realm", password, place{realm: "https://auth.example.com/token"}, []string{home, "auth.example.com"}, nil},
		{"sibling realm, identity token", identity, place{realm: "https://auth.example.com/token"}, []string{home, "auth.example.com"}, nil},
		{"parent realm", password, place{realm: "https://example.com/token"}, []string{home, "example.com"}, nil},
		{"trusted realm", password, place{realm: "https://login.trusted.test/token"}, []string{home, "login.trusted.test"}, nil},

		{"foreign realm", password, place{realm: "https://evil.test/token"}, nil, []string{"evil.test"}},
		{"foreign realm, identity token", identity, place{realm: "https://evil.test/token"}, nil, []string{"evil.test"}},
		{"foreign realm, registry token", direct, place{realm: "https://evil.test/token"}, []string{home}, []string{"evil.test"}},
		{"realm with our name in front", password, place{realm: "https://registry.example.com.evil.test/"}, nil, []string{"registry.example.com.evil.test"}},
		{"realm with our name as user", password, place{realm: "https://registry.example.com@evil.test/"}, nil, []string{"evil.test"}},
		{"realm that ends alike", password, place{realm: "https://notexample.com/token"}, nil, []string{"notexample.com"}},
		{"plain realm", password, place{realm: "http://registry.example.com/token"}, nil, nil},
		{"plain sibling realm", password, place{realm: "http://auth.example.com/token"}, nil, []string{"auth.example.com"}},
		{"realm of another kind", password, place{realm: "ftp://registry.example.com/"}, nil, nil},
		{"realm at a private address", password, place{realm: "https://10.0.0.1/token"}, nil, []string{"10.0.0.1"}},
		{"realm at the metadata service", password, place{realm: "https://169.254.169.254/token"}, nil, []string{"169.254.169.254"}},
		{"realm on this host", password, place{realm: "https://127.0.0.1/token"}, nil, []string{"127.0.0.1"}},
		{"realm on this host by name", password, place{realm: "https://localhost/token"}, nil, []string{"localhost"}},
		{"realm at another port", password, place{realm: "https://registry.example.com:8443/token"}, []string{home, home + ":8443"}, nil},

		{"token server redirects away", password, place{realm: "https://auth.example.com/token", tokenTo: "https://evil.test/t"}, []string{home, "auth.example.com"}, nil},
		{"token server redirects a token away", identity, place{realm: "https://auth.example.com/token", tokenTo: "https://evil.test/t"}, []string{"auth.example.com"}, []string{"evil.test"}},
		{"token server redirects to a private address", password, place{realm: "https://auth.example.com/token", tokenTo: "https://192.168.0.1/t"}, []string{"auth.example.com"}, []string{"192.168.0.1"}},
		{"token server redirects to plain HTTP", password, place{realm: "https://auth.example.com/token", tokenTo: "http://auth.example.com/t"}, []string{"auth.example.com"}, nil},

		{"layer redirected away", password, place{realm: "https://auth.example.com/token", layerTo: "https://cdn.test/b"}, []string{home, "auth.example.com"}, nil},
		{"layer redirected away, basic", password, place{scheme: "Basic", layerTo: "https://cdn.test/b"}, []string{home}, nil},
		{"layer redirected away, registry token", direct, place{realm: "https://registry.example.com/token", layerTo: "https://cdn.test/b"}, []string{home}, nil},
		{"layer redirected to a sibling", password, place{scheme: "Basic", layerTo: "https://cdn.example.com/b"}, []string{home}, nil},
		{"layer redirected below", password, place{scheme: "Basic", layerTo: "https://cdn.registry.example.com/b"}, []string{home}, nil},
		{"layer redirected to another port", password, place{scheme: "Basic", layerTo: "https://registry.example.com:8443/b"}, []string{home}, nil},
		{"layer redirected to plain HTTP", password, place{scheme: "Basic", layerTo: "http://registry.example.com/b"}, []string{home}, nil},
		{"layer redirected to a private address", password, place{scheme: "Basic", layerTo: "https://10.1.2.3/b"}, []string{home}, []string{"10.1.2.3"}},
		{"layer redirected to the metadata service", password, place{scheme: "Basic", layerTo: "https://169.254.169.254/b"}, []string{home}, []string{"169.254.169.254"}},
		{"layer redirected to this host", password, place{scheme: "Basic", layerTo: "https://[::1]/b"}, []string{home}, []string{"[::1]"}},
		{"manifest redirected away", password, place{scheme: "Basic", manifestTo: "https://evil.test/m"}, []string{home}, nil},
		{"manifest redirected away, token", password, place{realm: "https://auth.example.com/token", manifestTo: "https://evil.test/m"}, []string{home, "auth.example.com"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := &internet{secrets: []string{"hunter2", base64.StdEncoding.EncodeToString([]byte("user:hunter2")), "identity-secret", "registry-secret", "issued-for-home"}}
			n.answer = func(r *http.Request) (int, map[string]string, string) {
				return answerFor(r, home, c.place.scheme, c.place.realm, c.place.tokenTo, c.place.manifestTo, c.place.layerTo)
			}
			r := newRig(t, func(cfg *imagepull.Config) {
				cfg.Transport, cfg.Keychain, cfg.TokenHosts = n, c.keys, []string{"login.trusted.test"}
			})
			_, _, err := r.pull(context.Background(), t, home+"/team/app:v1")
			slices.Sort(n.saw)
			if slices.Sort(c.sees); !slices.Equal(c.sees, n.saw) {
				t.Errorf("%v got a secret, want %v; asked: %v; the pull: %v", n.saw, c.sees, n.asked, err)
			}
			for _, host := range c.never {
				if slices.Contains(n.asked, host) {
					t.Errorf("%s was asked; the pull: %v", host, err)
				}
			}
			if err == nil {
				t.Error("nothing here holds an image")
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(model.HintOf(err), "secret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// answerFor plays the registry at home, its token server and the rest.
func answerFor(r *http.Request, home, scheme, realm, tokenTo, manifestTo, layerTo string) (int, map[string]string, string) {
	redirect := func(to string) (int, map[string]string, string) {
		return http.StatusTemporaryRedirect, map[string]string{"Location": to}, ""
	}
	challenge := fmt.Sprintf(`Bearer realm=%q,service="s"`, realm)
	if scheme != "" {
		challenge = scheme + ` realm="r"`
	}
	switch {
	case strings.Contains(r.URL.Path, "token") || r.URL.Path == "/t":
		if tokenTo != "" && r.URL.Path != "/t" {
			return redirect(tokenTo)
		}
		return http.StatusOK, nil, `{"token":"issued-for-home"}`
	case r.URL.Host != home:
		return http.StatusUnauthorized, map[string]string{"Www-Authenticate": `Basic realm="more"`}, ""
	case r.Header.Get("Authorization") == "":
		return http.StatusUnauthorized, map[string]string{"Www-Authenticate": challenge}, ""
	case strings.Contains(r.URL.Path, "/manifests/") && manifestTo != "":
		return redirect(manifestTo)
	case strings.Contains(r.URL.Path, "/manifests/"):
		config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + zeroDigest + `"]}}`
		return http.StatusOK, map[string]string{"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
			fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
				`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":9}]}`, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config))), len(config), zeroDigest)
	case strings.Contains(r.URL.Path, zeroDigest) && layerTo != "":
		return redirect(layerTo)
	case strings.Contains(r.URL.Path, "/blobs/"):
		return http.StatusOK, nil, `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["` + zeroDigest + `"]}}`
	}
	return http.StatusOK, nil, "{}"
}
