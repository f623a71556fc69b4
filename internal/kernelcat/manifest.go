package kernelcat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
)

// manifestFormat is raised when an older reader would misread the file.
const manifestFormat = 1

// maxManifest bounds manifest.json in bytes.
const maxManifest = 1 << 20

// manifest is manifest.json: what was found out when the kernel was made.
type manifest struct {
	Format       int           `json:"format"`
	Kernel       model.Kernel  `json:"kernel"`
	PVH          bool          `json:"pvh"`                     // vmlinux has the entry that QEMU boots it by
	Packages     []string      `json:"packages,omitempty"`      // name and version of what it was made from
	InitrdDigest string        `json:"initrd_digest,omitempty"` // sha256, hex
	Boot         []kmod.Module `json:"boot"`                    // to be loaded by the initial file system, in order
}

func (st *stage) writeManifest(m manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", model.ManifestFile, err)
	}
	return st.write(model.ManifestFile, bytes.NewReader(append(text, '\n')))
}

// readManifest reads the manifest of a kernel's directory.
func readManifest(dir string) (manifest, error) {
	f, err := os.Open(filepath.Join(dir, model.ManifestFile))
	if err != nil {
		return manifest{}, fmt.Errorf("reading the kernel's manifest: %w", err)
	}
	defer f.Close()
	var m manifest
	if err := json.NewDecoder(io.LimitReader(f, maxManifest)).Decode(&m); err != nil {
		return manifest{}, model.Errorf(model.CodeIntegrity, "reading %s: %w", f.Name(), err)
	}
	if m.Format != manifestFormat {
		return manifest{}, model.Errorf(model.CodeUnsupported, "%s has format %d: this banger reads %d", f.Name(), m.Format, manifestFormat)
	}
	return m, nil
}
