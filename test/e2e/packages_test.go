package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// fileRepository makes a repository of one package inside the image, and the
// only one that apt knows: nothing is downloaded.
const fileRepository = `mkdir -p /repo /tmp/p/DEBIAN /tmp/p/usr/bin
cat >/tmp/p/DEBIAN/control <<'END'
Package: banger-hello
Version: 1.2-3
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: says hello
END
printf '#!/bin/sh\necho hello from a package\n' >/tmp/p/usr/bin/banger-hello
chmod 755 /tmp/p/usr/bin/banger-hello
dpkg-deb --root-owner-group --build /tmp/p /repo/banger-hello.deb
cd /repo
{
	dpkg-deb --field banger-hello.deb
	echo "Filename: ./banger-hello.deb"
	echo "Size: $(stat -c %s banger-hello.deb)"
	echo "SHA256: $(sha256sum banger-hello.deb | cut -d ' ' -f 1)"
} >Packages
rm -rf /tmp/p /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/repo ./' >/etc/apt/sources.list
`

// TestPackageInstallation lets the apt-get of an image install a package.
func TestPackageInstallation(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	hook := w.home.write(t, "repository.sh", fileRepository, 0o600)
	r := w.home.try(t, "image", "build", "packaged", "--from", "debian-multi", "--hook", "before-packages="+hook, "--package", "banger-hello")
	if r.code != 0 || r.stdout != "packaged\n" {
		t.Fatal(r)
	}
	t.Cleanup(func() { // t.Context has ended by then
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if r := w.home.run(ctx, "image", "delete", "packaged"); r.code != 0 {
			t.Error(r)
		}
	})
	var packages []model.Package
	if err := json.Unmarshal([]byte(w.home.ok(t, "image", "packages", "--json", "packaged")), &packages); err != nil {
		t.Fatal(err)
	}
	if want := (model.Package{Name: "banger-hello", Version: "1.2-3", Arch: "all", Manager: "dpkg"}); !slices.Contains(packages, want) {
		t.Errorf("of %d packages none is %+v", len(packages), want)
	}
	if show := w.home.ok(t, "image", "show", "packaged"); !strings.Contains(show, "banger-hello") {
		t.Errorf("image show says\n%s", show)
	}
	if got := w.home.ok(t, "run", "--rm", "packaged", "--", "banger-hello"); got != "hello from a package\n" {
		t.Errorf("the package says %q", got)
	}
}
