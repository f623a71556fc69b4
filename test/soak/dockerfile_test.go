package soak

import (
	"os"
	"path/filepath"

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
