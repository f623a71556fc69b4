package soak

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"banger/internal/model"
	"banger/internal/rpc"
)

// buildDockerfile builds two stages with a file and a RUN, all steps of which
// are run each time.
func (h *home) buildDockerfile() error {
	dir := h.t.TempDir()
	text := "FROM app AS one\nCOPY x /x\nRUN [\"/bin/sh\", \"-c\", \"echo a step\"]\nFROM scratch\nCOPY --from=one /x /bin/x\n"
	for name, text := range map[string]string{"Dockerfile": text, "x": "file"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.BuildDockerfile(ctx, rpc.DockerfileBuildParams{Name: "docked", KernelRef: "k", Context: dir, Network: model.NetNone, NoCache: true}, model.Discard)
	return orThere(err, h, "docked")
}

// rebuildDockerfile builds a file that is another one each time under a name
// that has an image: it has one, old or new, whatever happens.
func (h *home) rebuildDockerfile() error {
	if !slices.Contains(h.traces().Images, "again") {
		return errors.New("no image has the name")
	}
	return h.buildAgain()
}

func (h *home) buildAgain() error {
	dir := h.t.TempDir()
	for name, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY x /x\n", "x": model.NewID()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.BuildDockerfile(ctx, rpc.DockerfileBuildParams{Name: "again", KernelRef: "k", Context: dir, Network: model.NetNone}, model.Discard)
	return err
}
