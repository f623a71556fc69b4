package wire

import (
	"path"
	"strings"
)

// Mount is a disk beside the root. Its directory is made when the image lacks
// it; a filesystem that nobody has written to yet takes over the owner and the
// mode of the directory that it covers.
type Mount struct {
	Device   string `json:"device"`  // /dev/vdb
	Path     string `json:"path"`    // absolute and clean
	FSType   string `json:"fs_type"` // ext4
	ReadOnly bool   `json:"read_only,omitempty"`
	Grow     bool   `json:"grow,omitempty"` // resize the filesystem to the disk, on line
}

// Grow makes the mounted filesystem of a disk as large as the disk, once the
// guest has seen that the disk has at least SizeBytes.
type Grow struct {
	Device    string `json:"device"`
	SizeBytes int64  `json:"size_bytes"`
}

// maxMounts is more disks than any driver attaches.
const maxMounts = 16

func validateMounts(mounts []Mount) error {
	if len(mounts) > maxMounts {
		return invalid("%d mounts: at most %d are possible", len(mounts), maxMounts)
	}
	for _, m := range mounts {
		if err := validateDevice(m.Device, m.FSType); err != nil {
			return err
		}
		if err := ValidateMountPath(m.Path); err != nil {
			return err
		}
	}
	return nil
}

// ValidateMountPath checks where in a guest a disk may be mounted: an absolute
// path without ".." and the like, and not the root nor what the kernel serves.
func ValidateMountPath(p string) error {
	switch {
	case !path.IsAbs(p) || path.Clean(p) != p || len(p) > maxPath || hasNUL(p):
		return invalid("mount path %.80q is not absolute and in its shortest form", p)
	case p == "/":
		return invalid("mount path %q: the root directory is the root disk's", p)
	}
	for _, taken := range []string{"/proc", "/sys", "/dev"} {
		if p == taken || strings.HasPrefix(p, taken+"/") {
			return invalid("mount path %.80q is in %s, which is the kernel's", p, taken)
		}
	}
	return nil
}

// Validate checks all that can be checked without a guest.
func (g *Grow) Validate() error {
	if g.SizeBytes <= 0 {
		return invalid("a disk of %d bytes", g.SizeBytes)
	}
	return validateDevice(g.Device, "ext4")
}

// validateDevice accepts a name in /dev and the one filesystem that is known.
func validateDevice(device, fsType string) error {
	name, ok := strings.CutPrefix(device, "/dev/")
	switch {
	case !ok || name == "" || len(name) > maxName || strings.ContainsAny(name, "/\x00"):
		return invalid("device %.80q is not a name in /dev", device)
	case fsType != "ext4":
		return invalid("filesystem %.40q of %s is not ext4", fsType, device)
	}
	return nil
}
