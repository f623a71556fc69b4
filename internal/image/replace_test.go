package image_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
)

// rebuild builds a Dockerfile with one file, of which text is the content.
func rebuild(t *testing.T, b *buildRig, name, text string) (model.Image, error) {
	t.Helper()
	dir := writeContext(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY x /x\n", "x": text})
	return b.BuildDockerfile(t.Context(), rpc.DockerfileBuildParams{Name: name, Network: model.NetNone, Context: dir}, model.Discard)
}

// names returns the names of all images.
func (b *buildRig) names(t *testing.T) (names []string) {
	t.Helper()
	images, err := b.ListImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		names = append(names, img.Name)
	}
	return names
}

func TestBuildReplaces(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	first, err := rebuild(t, b, "web", "1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := rebuild(t, b, "web", "2")
	if err != nil {
		t.Fatal(err)
	}
	if got := readFrom(t, second, "/x"); got != "2" || second.ID == first.ID {
		t.Errorf("the second build has %q", got)
	}
	if d := cmp.Diff([]string{"base", "web"}, b.names(t)); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(first.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the files of the first build: %v", err)
	}
	script, err := b.BuildImage(t.Context(), rpc.ImageBuildParams{Name: "web", Base: "web", Network: model.NetNone, Script: "echo"}, model.Discard)
	if err != nil || script.Replaced {
		t.Fatalf("by a script, of itself: %+v, %v", script, err)
	}
	if d := cmp.Diff([]string{"base", "web"}, b.names(t)); d != "" {
		t.Error(d)
	}
}

func TestReplacedImageGoesWithItsLastVM(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	first, err := rebuild(t, b, "web", "1")
	if err != nil {
		t.Fatal(err)
	}
	b.store.users = []string{"vm"}
	if _, err := rebuild(t, b, "web", "2"); err != nil {
		t.Fatal(err)
	}
	aside := "web-" + first.ID[:8]
	if d := cmp.Diff([]string{"base", "web", aside}, b.names(t)); d != "" {
		t.Error(d)
	}
	b.wantAside(t, first, aside)
	b.ImageLeft(t.Context(), first.ID) // the VM is still there
	tagged, err := b.TagImage(t.Context(), rpc.ImageTagParams{Name: aside, New: "kept"}, model.Discard)
	if err != nil || tagged.Replaced {
		t.Errorf("tagged: %+v, %v", tagged, err)
	}
	b.store.users = nil
	b.ImageLeft(t.Context(), first.ID)
	b.ImageLeft(t.Context(), first.ID) // a second VM, at the same moment
	b.ImageLeft(t.Context(), tagged.ID)
	if d := cmp.Diff([]string{"base", "kept", "web"}, b.names(t)); d != "" {
		t.Error(d)
	}
}

// wantAside checks what a replaced image says of itself.
func (b *buildRig) wantAside(t *testing.T, was model.Image, name string) {
	t.Helper()
	now, err := b.ShowImage(t.Context(), rpc.NameParams{Name: was.ID})
	if err != nil || now.Name != name || !now.Replaced {
		t.Errorf("the image that had the name: %+v, %v", now, err)
	}
	if text, err := os.ReadFile(filepath.Join(was.Dir, model.ImageFile)); err != nil || !bytes.Contains(text, []byte(`"name": "`+name+`"`)) {
		t.Errorf("image.json %s, %v", text, err)
	}
}

// TestRecoverDropsReplaced is of a daemon that died right after the row.
func TestRecoverDropsReplaced(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	first, err := rebuild(t, b, "web", "1")
	if err != nil {
		t.Fatal(err)
	}
	first.Replaced = true
	if err := b.store.UpdateImage(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := b.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"base"}, b.names(t)); d != "" {
		t.Error(d)
	}
}

// TestBuildsOfOneName: of several at once each has the name in its turn.
func TestBuildsOfOneName(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			if _, err := rebuild(t, b, "web", strconv.Itoa(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d := cmp.Diff([]string{"base", "web"}, b.names(t)); d != "" {
		t.Error(d)
	}
}

// TestBuildKeepsForeignNames: the name of an image that was pulled is refused
// before the first step.
func TestBuildKeepsForeignNames(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	_, err := rebuild(t, b, "base", "1")
	_, scriptErr := b.BuildImage(t.Context(), rpc.ImageBuildParams{Name: "base", Base: "base", Network: model.NetNone, Script: "echo"}, model.Discard)
	for _, err := range []error{err, scriptErr} {
		if model.CodeOf(err) != model.CodeConflict {
			t.Errorf("%v; want a conflict", err)
		}
	}
	b.wantNothing(t, "refused")
}
