package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/imagetree"
	"banger/internal/model"
)

// rootfs is the path of an image's root filesystem.
func (h *home) rootfs(t *testing.T, name string) string {
	t.Helper()
	img := h.image(t, name)
	return img.RootfsPath()
}

// push writes an image to the registry and returns what it became.
func (h *home) push(t *testing.T, image, ref string) (pushed model.PushedImage) {
	t.Helper()
	if err := json.Unmarshal([]byte(h.ok(t, "image", "push", "--json", image, ref)), &pushed); err != nil {
		t.Fatal(err)
	}
	return pushed
}

func (h *home) removeImageAfter(t *testing.T, names ...string) {
	t.Helper()
	t.Cleanup(func() { h.run(context.Background(), append([]string{"image", "delete"}, names...)...) })
}

// tool runs a program that is not ours.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(boundedContext(t), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

// treeDiff compares the files of two root filesystems, with their times.
func treeDiff(t *testing.T, from, to string) (changes []model.TreeChange) {
	t.Helper()
	trees := make([]*imagetree.Tree, 2)
	for i, path := range []string{from, to} {
		tree, err := imagetree.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tree.Close() })
		trees[i] = tree
	}
	err := imagetree.Diff(t.Context(), trees[0], trees[1], imagetree.DiffOptions{Times: true}, func(c model.TreeChange) error {
		if c.Path != "/lost+found" { // the filesystem's, not the image's
			changes = append(changes, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// TestPushedImage: what was pulled goes to a registry as it came, and an image
// whose layers are no longer in the cache as one layer that makes the same
// files; both are the same image each time.
func TestPushedImage(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	source := w.registry.ref("busybox")
	want := strings.TrimSpace(tool(t, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+source))
	again := w.registry.addr + "/pushed/busybox:v1"
	if pushed := w.home.push(t, "busybox", again); pushed.Digest != want {
		t.Errorf("pushed as %+v, pulled as %s", pushed, want)
	}
	h := freshHome(t)
	h.ok(t, "image", "pull", "--name", "busybox", source)
	h.ok(t, "image", "cache", "prune")
	made := h.push(t, "busybox", w.registry.addr+"/made/busybox:v1")
	if len(made.Layers) != 1 || made.Digest == want {
		t.Errorf("made: %+v", made)
	}
	h.ok(t, "image", "cache", "prune")
	if twice := h.push(t, "busybox", w.registry.addr+"/made/busybox:v2"); twice.Digest != made.Digest {
		t.Errorf("pushed as %s, then as %s", made.Digest, twice.Digest)
	}
	h.ok(t, "image", "pull", "--name", "back", made.Ref)
	if diff := treeDiff(t, h.rootfs(t, "busybox"), h.rootfs(t, "back")); len(diff) > 0 {
		t.Errorf("(-pushed +pulled): %+v", diff)
	}
}

// changes are those of a guest to its disk, of each kind that a layer has to
// tell.
const changes = `set -e
mkdir -p /srv/new/deep; echo new >/srv/new/deep/file
ln /srv/new/deep/file /srv/new/linked; ln -s deep/file /srv/new/symlink; mkfifo /srv/new/fifo
echo more >>/etc/passwd; chmod 4711 /usr/bin/head; chown 12345:54321 /etc/passwd; chmod 1777 /srv
mkdir /srv/gone /srv/kept; echo x >/srv/gone/x; rm -r /srv/gone
perl -e 'my @a = ("/srv/new/deep/file", "user.origin", "guest"); syscall(188, $a[0], $a[1], $a[2], 5, 0) == 0 or die $!' # setxattr(2)
rm -r /etc/skel /etc/debian_version
truncate -s 5M /srv/new/sparse; echo end >>/srv/new/sparse
sync`

// TestCommittedVM: the disk of a VM that has changed becomes an image of one
// more layer, the same each time, which other tools unpack to the same files.
func TestCommittedVM(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("no root: umoci cannot set owners")
	}
	h := w.home
	h.vm(t, "commits", "debian-multi")
	h.guest(t, "commits", changes)
	h.ok(t, "pause", "commits")
	h.removeImageAfter(t, "of-paused", "of-stopped", "of-stopped-again")
	h.ok(t, "commit", "commits", "of-paused")
	h.ok(t, "resume", "commits")
	if got := h.guest(t, "commits", "cat /srv/new/linked; rm /srv/new/fifo"); got != "new" {
		t.Errorf("after the commit the guest reads %q", got)
	}
	h.ok(t, "stop", "commits")
	h.ok(t, "commit", "commits", "of-stopped")
	h.ok(t, "commit", "commits", "of-stopped-again")

	base, ref := h.image(t, "debian-multi"), w.registry.addr+"/committed:v1"
	pushed := h.push(t, "of-stopped", ref)
	if again := h.push(t, "of-stopped-again", w.registry.addr+"/committed:v2"); again.Digest != pushed.Digest {
		t.Errorf("committed as %s, then as %s", pushed.Digest, again.Digest)
	}
	var layers []string
	for _, l := range pushed.Layers {
		layers = append(layers, l.Digest)
	}
	if diff := cmp.Diff(base.Source.Layers, layers[:len(layers)-1]); diff != "" {
		t.Errorf("the layers below the last one: (-base +committed)\n%s", diff)
	}

	other := freshHome(t)
	other.ok(t, "image", "pull", "--name", "back", pushed.Ref)
	back := other.rootfs(t, "back")
	if diff := treeDiff(t, h.rootfs(t, "of-stopped"), back); len(diff) > 0 {
		t.Errorf("(-committed +pulled): %+v", diff)
	}
	dir := t.TempDir()
	layout, bundle := filepath.Join(dir, "layout"), filepath.Join(dir, "bundle")
	tool(t, "skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "docker://"+ref, "oci:"+layout+":v1")
	tool(t, "umoci", "unpack", "--image", layout+":v1", bundle)
	other.ok(t, "image", "pull", "--name", "unpacked", "dir:"+filepath.Join(bundle, "rootfs"))
	if diff := treeDiff(t, back, other.rootfs(t, "unpacked")); len(diff) > 0 {
		t.Errorf("(-banger +umoci): %+v", diff)
	}
	if got := treeDiff(t, h.rootfs(t, "of-paused"), back); len(got) == 0 || !strings.Contains(other.ok(t, "image", "show", "--tree", "back", "/srv/new"), "/srv/new/linked") {
		t.Errorf("between pause and stop has changed: %+v", got)
	}
}
