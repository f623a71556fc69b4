package imagepull_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// TestTokensAreRenewed lets the first token die after two requests: a pull
// outlives its token.
func TestTokensAreRenewed(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", "1")), archive(t, file("b", "2")), archive(t, file("c", "3")))
	var issued, used, refused atomic.Int64
	reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			fmt.Fprintf(w, `{"token":"token-%d"}`, issued.Add(1))
			return true
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-")
		if ok && (token != "1" || used.Add(1) <= 2) {
			return false
		}
		if r.URL.Path != "/v2/" {
			refused.Add(1)
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="s"`, reg.Host))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	if _, _, err := newRig(t, nil).pull(context.Background(), t, ref); err != nil {
		t.Fatal(err)
	}
	if refused.Load() == 0 || issued.Load() < 2 {
		t.Errorf("%d tokens, %d refusals: nothing was renewed", issued.Load(), refused.Load())
	}
}

// brokenKeys cannot be read.
type brokenKeys struct{}

func (brokenKeys) ResolveContext(context.Context, authn.Resource) (authn.Authenticator, error) {
	return nil, model.Errorf(model.CodeUnauthorized, "credential helper docker-credential-x is not in PATH").WithHint("install it")
}

// Credentials that cannot be read are in nobody's way, unless the registry
// asks for some.
func TestUnreadableCredentials(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", "1")))
	r := newRig(t, func(c *imagepull.Config) { c.Keychain = brokenKeys{} })
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Errorf("a public image: %v", err)
	}
	reg.Misbehave(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	_, _, err := r.pull(context.Background(), t, ref)
	if model.CodeOf(err) != model.CodeUnauthorized || !strings.Contains(err.Error(), "not in PATH") || model.HintOf(err) != "install it" {
		t.Errorf("a private one: %v (%s), hint %q", err, model.CodeOf(err), model.HintOf(err))
	}
}

// A helper that hangs does not outlive a pull that was canceled.
func TestCanceledWhileCredentialsAreRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	r := newRig(t, func(c *imagepull.Config) { c.Keychain = hangingKeys{cancel} })
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, _, err := r.pull(ctx, t, strings.TrimPrefix(server.URL, "http://")+"/x:y")
	if model.CodeOf(err) != model.CodeCanceled {
		t.Errorf("%v (%s)", err, model.CodeOf(err))
	}
}

type hangingKeys struct{ reached func() }

func (k hangingKeys) ResolveContext(ctx context.Context, _ authn.Resource) (authn.Authenticator, error) {
	k.reached()
	<-ctx.Done()
	return nil, ctx.Err()
}
