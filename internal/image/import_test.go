package image_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

func TestImportImage(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, nil)
	in := bytes.NewReader(motdArchive(t, "hello"))
	img, err := r.ImportImage(context.Background(), rpc.ImagePullParams{Ref: "-", Name: "a"}, in, model.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if img.Source.Kind != imagepull.KindTar || !strings.HasPrefix(img.Source.Reference, "-@sha256:") {
		t.Errorf("source %+v", img.Source)
	}
	// "-" is no image that is here: it means other content each time.
	if _, err := r.FindImage(context.Background(), "-"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("an image called -: %v", err)
	}
}

// What cannot become an image is refused before any of it is read.
func TestImportIsRefusedUnread(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, map[string]string{"taken": "x"})
	for name, c := range map[string]struct {
		p    rpc.ImagePullParams
		code model.Code
	}{
		"a name that is taken":      {rpc.ImagePullParams{Ref: "-", Name: "taken"}, model.CodeConflict},
		"no name":                   {rpc.ImagePullParams{Ref: "-"}, model.CodeInvalid},
		"a reference to a registry": {rpc.ImagePullParams{Ref: "debian", Name: "a"}, model.CodeInvalid},
		"a directory":               {rpc.ImagePullParams{Ref: "dir:-", Name: "a"}, model.CodeInvalid},
	} {
		in := strings.NewReader("input")
		if _, err := r.ImportImage(context.Background(), c.p, in, model.Discard); model.CodeOf(err) != c.code || model.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), hint %q", name, err, model.CodeOf(err), model.HintOf(err))
		}
		if in.Len() != len("input") {
			t.Errorf("%s: input was read", name)
		}
	}
	if _, err := r.PullImage(context.Background(), rpc.ImagePullParams{Ref: "-", Name: "a"}, model.Discard); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("without input: %v", err)
	}
}
