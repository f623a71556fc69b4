package registryauth

import (
	"context"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"banger/internal/model"
)

// defaultTimeout bounds a credential helper: long enough for one that asks a
// cloud, too short for one that asks a user who is not there.
const defaultTimeout = 20 * time.Second

// Config is what a Keychain is made of. Getenv is needed.
type Config struct {
	Getenv  func(string) string
	Timeout time.Duration // of a credential helper; default 20 s
}

// Keychain implements authn.ContextKeychain. It reads the files each time, so
// that a login counts at once.
type Keychain struct {
	getenv  func(string) string
	timeout time.Duration
}

// New returns a Keychain.
func New(cfg Config) *Keychain {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	return &Keychain{getenv: cfg.Getenv, timeout: cfg.Timeout}
}

// ResolveContext returns the credentials for target, authn.Anonymous when
// there are none. The files are, in this order:
//
//	$REGISTRY_AUTH_FILE                      alone, when it is set
//	$DOCKER_CONFIG/config.json               default: ~/.docker/config.json
//	$XDG_RUNTIME_DIR/containers/auth.json
//	$XDG_CONFIG_HOME/containers/auth.json    default: ~/.config/containers/auth.json
//
// The first that has credentials for target counts.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	wanted := scopeOf(target)
	for _, path := range k.files() {
		file, err := readFile(path)
		if err != nil {
			return nil, err
		}
		if file == nil {
			continue
		}
		found, err := k.lookUp(ctx, file, wanted)
		if err != nil {
			return nil, model.Errorf(model.CodeUnauthorized, "reading %s: %w", path, err)
		}
		if found != nil {
			return authn.FromConfig(*found), nil
		}
	}
	if path := k.getenv("REGISTRY_AUTH_FILE"); path != "" {
		return authn.Anonymous, missing(path)
	}
	return authn.Anonymous, nil
}

// files returns the places of authentication files, absolute.
func (k *Keychain) files() []string {
	if path := k.getenv("REGISTRY_AUTH_FILE"); path != "" {
		return []string{path}
	}
	home := k.getenv("HOME")
	in := func(env, fallback string) string {
		if dir := k.getenv(env); dir != "" || home == "" || fallback == "" {
			return dir
		}
		return filepath.Join(home, fallback)
	}
	var files []string
	for _, place := range []struct{ dir, name string }{
		{in("DOCKER_CONFIG", ".docker"), "config.json"},
		{in("XDG_RUNTIME_DIR", ""), "containers/auth.json"},
		{in("XDG_CONFIG_HOME", ".config"), "containers/auth.json"},
	} {
		if filepath.IsAbs(place.dir) {
			files = append(files, filepath.Join(place.dir, place.name))
		}
	}
	return files
}

// lookUp returns what file has for the scope, or nil. As docker has it, a
// helper comes before what stands in the file.
func (k *Keychain) lookUp(ctx context.Context, file *authFile, wanted string) (*authn.AuthConfig, error) {
	helpers := []string{longest(file.CredHelpers, wanted), file.CredsStore}
	for _, name := range helpers {
		if name == "" {
			continue
		}
		found, err := k.ask(ctx, name, wanted)
		if err != nil || found != nil {
			return found, err
		}
	}
	return longest(file.Auths, wanted).config()
}
