package image

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
)

// maxSteps bounds how many steps are known.
const maxSteps = 1 << 14

// stepPath is the file of a step, of its key's name: the digest of the image
// that it made. The layers are in the cache of pulls; when they leave it, the
// step is run again.
func (s *Service) stepPath(key string) string { return filepath.Join(s.cfg.Steps, key) }

// lookupStep returns the image that a step made; nil when it is not known, or
// not whole any more.
func (s *Service) lookupStep(key string) (*imagepush.Image, error) {
	digest := s.knownStep(key)
	if digest == "" {
		return nil, nil
	}
	img, err := imagepush.Load(s.cfg.Cache, digest)
	if err == nil && img == nil {
		err = os.Remove(s.stepPath(key))
	}
	return img, err
}

// knownStep returns the digest that is remembered of a step, "" when there is
// none; one that cannot be read will be written again.
func (s *Service) knownStep(key string) string {
	text, err := os.ReadFile(s.stepPath(key))
	if err != nil {
		return ""
	}
	digest, err := imagepull.ParseDigest(strings.TrimSpace(string(text)))
	if err != nil {
		return ""
	}
	return string(digest)
}

// keepStep remembers which image a step made.
func (s *Service) keepStep(key, digest string) error {
	dir := s.cfg.Steps
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) >= maxSteps {
		if err := s.forgetSteps(); err != nil {
			return err
		}
	}
	return renameio.WriteFile(s.stepPath(key), []byte(digest+"\n"), 0o600)
}

// forgetSteps forgets all steps: their layers go as the cache is pruned.
func (s *Service) forgetSteps() error {
	if err := os.RemoveAll(s.cfg.Steps); err != nil {
		return model.Errorf(model.CodeInternal, "forgetting the steps of builds: %w", err)
	}
	return os.MkdirAll(s.cfg.Steps, 0o700)
}
