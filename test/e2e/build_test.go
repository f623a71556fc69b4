package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// TestImageBuild builds an image by a script and runs what it has made; the
// guest of the build is real, and so is that of the image.
func TestImageBuild(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	setup := w.home.write(t, "setup.sh", "set -u\nmkdir -p /srv/made\necho \"$WHAT\" >/srv/made/what\nchown 7:8 /srv/made/what\n"+
		"ip link 2>/dev/null | grep -c eth0 >/srv/made/cards || :\ndf -k / | tail -n 1\n", 0o600)
	hook := w.home.write(t, "hook.sh", "test -s /srv/made/what\necho checked\n", 0o600)
	r := w.home.try(t, "image", "build", "built", "--from", "busybox", "--network", "none", "--size", "3G",
		"-e", "WHAT=some thing", "--script", setup, "--hook", "after-script="+hook)
	if r.code != 0 || r.stdout != "built\n" || !strings.Contains(r.stderr, "note: checked") {
		t.Fatal(r)
	}
	t.Cleanup(func() { // t.Context has ended by then
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if r := w.home.run(ctx, "image", "delete", "built"); r.code != 0 {
			t.Error(r)
		}
	})
	got := w.home.ok(t, "run", "--rm", "built", "--", "sh", "-c",
		"cat /srv/made/what; stat -c %u:%g /srv/made/what; cat /srv/made/cards; ls /run; test $(df -k / | tail -n 1 | awk '{print $2}') -gt 2500000 && echo large")
	if want := "some thing\n7:8\n0\nlarge\n"; got != want {
		t.Errorf("the image has %q, want %q", got, want)
	}
	var img model.Image
	if err := json.Unmarshal([]byte(w.home.ok(t, "image", "show", "--json", "built")), &img); err != nil {
		t.Fatal(err)
	}
	if b := img.Source.Build; b == nil || b.Base != "busybox" || b.Script != "setup.sh" || b.BaseManifest == "" || b.Network != model.NetNone || b.Kernel == "" {
		t.Errorf("provenance %+v", img.Source)
	}
	if log := w.home.ok(t, "image", "log", "built"); !strings.HasPrefix(log, "==> script setup.sh\n") || !strings.HasSuffix(log, "hook.sh\nchecked\n") {
		t.Errorf("log %q", log)
	}
	if verdict := w.home.try(t, "image", "verify", "built"); verdict.code != 0 {
		t.Error(verdict)
	}
}

// TestFailedImageBuild is a script that fails in its line 7.
func TestFailedImageBuild(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	script := w.home.write(t, "bad.sh", "echo 1\necho 2\n\n\n\necho 6\ncat /nonexistent\necho 8\n", 0o600)
	for _, base := range []string{"busybox", "debian-multi"} {
		r := w.home.try(t, "image", "build", "never-"+base, "--from", base, "--network", "none", "--script", script)
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "script bad.sh failed at line 7 (cat /nonexistent) with status 1") ||
			!strings.Contains(r.stderr, "  6\n  cat: ") || strings.Contains(r.stderr, "note: 8") {
			t.Error(r)
		}
	}
	if images := w.home.ok(t, "image", "list", "-q"); strings.Contains(images, "never") {
		t.Errorf("images: %s", images)
	}
}
