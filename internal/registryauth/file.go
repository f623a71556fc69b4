package registryauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
)

// maxFile bounds an authentication file in bytes.
const maxFile = 1 << 20

// authFile is the part of docker's config.json and podman's auth.json that
// holds credentials. The keys are registries, with or without a namespace.
type authFile struct {
	Auths       map[string]fileEntry `json:"auths"`
	CredHelpers map[string]string    `json:"credHelpers"`
	CredsStore  string               `json:"credsStore"`
}

type fileEntry struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// readFile returns nil when there is no file at path.
func readFile(path string) (*authFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, model.Errorf(model.CodeUnauthorized, "reading credentials: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	var parsed authFile
	if err == nil {
		err = json.Unmarshal(text, &parsed)
	}
	if err != nil {
		return nil, model.Errorf(model.CodeUnauthorized, "reading credentials of %s: %w", path, err)
	}
	return &parsed, nil
}

// missing is the error of a file that the environment names and that is not
// there; nil when it is.
func missing(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return model.Errorf(model.CodeUnauthorized, "REGISTRY_AUTH_FILE names %s, which does not exist", path).
		WithHint("log in (podman login) or unset REGISTRY_AUTH_FILE, then end the daemon: banger system shutdown")
}

// config returns the credentials of an entry, nil when it holds none: docker
// leaves empty entries when a helper keeps the secret.
func (e fileEntry) config() (*authn.AuthConfig, error) {
	if e == (fileEntry{}) {
		return nil, nil
	}
	cfg := &authn.AuthConfig{
		Username: e.Username, Password: e.Password,
		IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken,
	}
	if e.Auth == "" {
		return cfg, nil
	}
	text, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		return nil, errors.New("an auth entry is not base64") // what it is stays out of errors
	}
	user, password, ok := strings.Cut(string(text), ":")
	if !ok || user == "" {
		return nil, errors.New("an auth entry is not user:password")
	}
	cfg.Username, cfg.Password = user, strings.TrimRight(password, "\x00")
	return cfg, nil
}

// scopeOf names a registry or a repository as keys are normalized to.
func scopeOf(target authn.Resource) string { return normalize(target.String()) }

// normalize makes one of the ways to write a registry: docker's old keys are
// URLs with a version, and its own registry has several names.
func normalize(key string) string {
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	host, path, _ := strings.Cut(strings.TrimRight(key, "/"), "/")
	if path == "v1" || path == "v2" {
		path = ""
	}
	host = strings.ToLower(host)
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = name.DefaultRegistry
	}
	if path == "" {
		return host
	}
	return host + "/" + path
}

// longest returns the entry of m whose key names the longest part of scope,
// from its beginning: the repository, a namespace or the registry.
func longest[V any](m map[string]V, scope string) (best V) {
	length := 0
	for key, value := range m {
		key = normalize(key)
		rest, found := strings.CutPrefix(scope, key)
		if found && len(key) > length && (rest == "" || rest[0] == '/') {
			best, length = value, len(key)
		}
	}
	return best
}
