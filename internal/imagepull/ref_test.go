package imagepull_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/imagepull"
	"banger/internal/model"
)

func TestParseRef(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	hub := name.DefaultRegistry + "/library/"
	cases := []struct{ ref, canonical, name string }{
		{"debian:bookworm", "debian:bookworm", "debian-bookworm"}, // of the catalog
		{"debian", "debian:bookworm", "debian-bookworm"},
		{hub + "debian:bookworm", hub + "debian:bookworm", "debian-bookworm"},
		{"alpine", hub + "alpine:latest", "alpine"},
		{"alpine:latest", hub + "alpine:latest", "alpine"},
		{"alpine:3.20", hub + "alpine:3.20", "alpine-3.20"},
		{"team/app:V1_x", name.DefaultRegistry + "/team/app:V1_x", "app-v1_x"},
		{"registry.example:5000/a/b/c", "registry.example:5000/a/b/c:latest", "c"},
		{"localhost:5000/x:-", "", ""},
		{"registry.example/app@" + digest, "registry.example/app@" + digest, "app-0123456789ab"},
		{"registry.example/app:v1@" + digest, "registry.example/app@" + digest, "app-0123456789ab"},
		{"registry.example/" + strings.Repeat("long-", 20) + "x:tag", "registry.example/" + strings.Repeat("long-", 20) + "x:tag",
			strings.TrimSuffix(strings.Repeat("long-", 12)[:59], "-") + "-tag"},
		{"oci:/srv/layout:v1", "oci:/srv/layout:v1", "layout-v1"},
		{"oci:/srv/layout", "oci:/srv/layout", "layout"},
		{"tar:/srv/My Root.tar.gz", "tar:/srv/My Root.tar.gz", "my-root"},
		{"oci-archive:/srv/x.tar:v1", "oci-archive:/srv/x.tar:v1", "x-v1"},
		{"oci:/srv/layout:bad/tag", "", ""},
		{"docker-archive:/srv/x.tar", "docker-archive:/srv/x.tar", "x"},
		{"docker-archive:/srv/x.tar:v1", "docker-archive:/srv/x.tar:v1", "x-v1"},
		{"docker-archive:/srv/x.tar:team/app:v1", "docker-archive:/srv/x.tar:team/app:v1", "app-v1"},
		{"docker-archive:/srv/x.tar:", "", ""},
		{"docker-archive:/srv/x.tar:UPPER/x", "", ""},
		{"dir:/srv/rootfs/", "dir:/srv/rootfs", "rootfs"},
		{"dir:rootfs", name.DefaultRegistry + "/library/dir:rootfs", "dir-rootfs"},
		{"dir:./rootfs", "", ""},
		{"tar:./x.tar", "", ""},
		{"", "", ""},
		{"UPPER/Case", "", ""},
		{"https://registry.example/x", "", ""},
		{"x y", "", ""},
		{"app@sha256:short", "", ""},
		{strings.Repeat("a", 5000), "", ""},
		{"../../etc/passwd", "", ""},
	}
	for _, c := range cases {
		ref, err := imagepull.ParseRef(c.ref)
		if c.canonical == "" {
			if code := model.CodeOf(err); code != model.CodeInvalid && code != model.CodeIntegrity {
				t.Errorf("%.80q: %v (%s), want it refused", c.ref, err, code)
			}
			continue
		}
		if err != nil || ref.String() != c.canonical || ref.DefaultName() != c.name {
			t.Errorf("%.80q: %q named %q, %v, want %q named %q", c.ref, ref, ref.DefaultName(), err, c.canonical, c.name)
		}
		if err := model.ValidateObjectName("image", ref.DefaultName()); err != nil {
			t.Errorf("%.80q: %v", c.ref, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"debian", "a/b:c", "oci:/x:y", "tar:/..", "x@sha256:" + strings.Repeat("a", 64), "a:.", "a/..b:__"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := imagepull.ParseRef(s)
		if err != nil {
			return
		}
		if n := ref.DefaultName(); n != "" && model.ValidateObjectName("image", n) != nil {
			t.Errorf("%q gives the name %q", s, n)
		}
		again, err := imagepull.ParseRef(ref.String())
		if err != nil || again.String() != ref.String() {
			t.Errorf("%q is %q, which is %q, %v", s, ref, again, err)
		}
	})
}

// The catalog must be sound: what it names can be parsed, what it makes can
// be asked for.
func TestCatalog(t *testing.T) {
	t.Parallel()
	names := imagepull.CatalogNames()
	if len(names) == 0 || names[0] != imagepull.DefaultRef() {
		t.Errorf("names %q, default %q", names, imagepull.DefaultRef())
	}
	for _, n := range names {
		ref, err := imagepull.ParseRef(n)
		if err != nil || ref.String() != n {
			t.Errorf("%s: %v, %v", n, ref, err)
		}
	}
}

func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("no %s", program)
	}
	return path
}
