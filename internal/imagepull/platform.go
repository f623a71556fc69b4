package imagepull

import (
	"runtime"
	"strings"

	"banger/internal/model"
)

// Platform is what an image runs on: the values of Go's GOOS and GOARCH, and
// the CPU variant (OCI image-spec, image-index.md).
type Platform struct {
	OS      string `json:"os"`
	Arch    string `json:"architecture"`
	Variant string `json:"variant"`
}

// ParsePlatform reads os/arch[/variant]; "" is linux on this host's CPU.
func ParsePlatform(s string) (Platform, error) {
	if s == "" {
		return Platform{OS: "linux", Arch: runtime.GOARCH}, nil
	}
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Platform{}, model.Errorf(model.CodeInvalid, "platform %.64q is not os/arch or os/arch/variant", s).
			WithHint("for example linux/%s", runtime.GOARCH)
	}
	p := Platform{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	if p.OS != "linux" {
		return Platform{}, model.Errorf(model.CodeUnsupported, "platform %.64q: only linux images boot", s)
	}
	return p, nil
}

func (p Platform) String() string {
	return strings.TrimSuffix(strings.Join([]string{p.OS, p.Arch, p.Variant}, "/"), "/")
}

// unknown tells whether a document says nothing of its platform.
func (p Platform) unknown() bool { return p.OS == "" && p.Arch == "" }

// runs tells whether an image for have runs where p is wanted. A variant that
// is not asked for must be the architecture's base.
func (p Platform) runs(have Platform) bool {
	return p.OS == have.OS && p.Arch == have.Arch && p.variant() == have.variant()
}

// variant returns the variant, "" for the base of the architecture.
func (p Platform) variant() string {
	base := map[string]string{"arm64": "v8", "amd64": "v1"}
	if p.Variant == base[p.Arch] {
		return ""
	}
	return p.Variant
}
