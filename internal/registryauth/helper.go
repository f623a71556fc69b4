package registryauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
	"banger/internal/run"
)

const (
	helperPrefix = "docker-credential-"
	maxAnswer    = 64 << 10 // bytes of a helper's answer
	maxComplaint = 256      // bytes of its standard error that are quoted

	// notFound is what helpers print when they have nothing for a registry
	// (docker-credential-helpers, credentials/error.go).
	notFound = "credentials not found in native keychain"

	// tokenUser stands in place of a name when the secret is an identity token.
	tokenUser = "<token>"
)

var helperName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// errSlow ends a helper that does not answer.
var errSlow = errors.New("no answer in time")

// ask runs the credential helper of that name; nil when it has nothing for
// the registry of scope.
func (k *Keychain) ask(ctx context.Context, helper, scope string) (*authn.AuthConfig, error) {
	if !helperName.MatchString(helper) {
		return nil, fmt.Errorf("%.64q is no name of a credential helper", helper)
	}
	bounded, cancel := context.WithTimeoutCause(ctx, k.timeout, errSlow)
	defer cancel()
	program := helperPrefix + helper
	res, err := run.Command(bounded, run.Cmd{
		Name: program, Args: []string{"get"}, Stdin: strings.NewReader(serverURL(scope)), MaxStdout: maxAnswer,
	})
	switch {
	case err == nil:
		return parseAnswer(program, res.Stdout)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case strings.HasPrefix(string(res.Stdout), notFound):
		return nil, nil
	}
	return nil, helperError(program, res, err)
}

// serverURL is how helpers call the registry of a scope.
func serverURL(scope string) string {
	host, _, _ := strings.Cut(scope, "/")
	if host == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return host
}

// helperError says how a helper failed. Its standard output is left out: it
// may hold a secret.
func helperError(program string, res run.Result, err error) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return model.Errorf(model.CodeUnauthorized, "credential helper %s is not in PATH", program).
			WithHint("install it, or take it out of the file")
	case errors.Is(err, errSlow):
		return model.Errorf(model.CodeTimeout, "credential helper %s: %w", program, errSlow)
	case errors.Is(err, run.ErrTooMuchOutput):
		return fmt.Errorf("credential helper %s: %w", program, run.ErrTooMuchOutput)
	case errors.As(err, &exit):
		said := strings.TrimSpace(string(res.Stderr))
		return fmt.Errorf("credential helper %s: %w: %s", program, exit, model.Printable(said[:min(len(said), maxComplaint)]))
	}
	return fmt.Errorf("credential helper %s cannot be run", program)
}

func parseAnswer(program string, text []byte) (*authn.AuthConfig, error) {
	var answer struct{ Username, Secret string }
	if json.Unmarshal(text, &answer) != nil { // its error may quote the secret
		return nil, fmt.Errorf("credential helper %s answers something else than JSON", program)
	}
	switch {
	case answer.Username == "" && answer.Secret == "":
		return nil, nil
	case answer.Username == tokenUser:
		return &authn.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return &authn.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}
