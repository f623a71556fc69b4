package kernelcat

import (
	"io/fs"
	"os"
	"sync"

	"banger/internal/model"
)

// agentDigest remembers the digest of the agent's binary until the file is
// another one, so that a boot need not hash it.
type agentDigest struct {
	mu     sync.Mutex
	info   fs.FileInfo
	digest string
}

// of returns the hex sha256 of the agent at path.
func (a *agentDigest) of(path string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return "", model.Errorf(model.CodeUnsupported, "the guest agent is missing: %w", err).
			WithHint("install banger-agent beside bangerd")
	}
	if a.info != nil && os.SameFile(a.info, info) && a.info.Size() == info.Size() && a.info.ModTime().Equal(info.ModTime()) {
		return a.digest, nil
	}
	digest, err := fileDigest(path)
	if err != nil {
		return "", err
	}
	a.info, a.digest = info, digest
	return digest, nil
}
