package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

func TestReplaceImage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	old := image("1111", "web")
	must(t, s.InsertImage(t.Context(), old), s.InsertImage(t.Context(), image("2222", "taken")), s.InsertVM(t.Context(), vm("v", "v", "1111")))
	aside := old
	aside.Name, aside.Replaced = "web-1111", true
	must(t, s.ReplaceImage(t.Context(), image("3333", "web"), aside))

	again := image("3333", "web")
	again.Name = "taken"
	for what, err := range map[string]error{
		"the name is not the old image's": s.ReplaceImage(t.Context(), image("4444", "web"), old),
		"the new name is taken":           s.ReplaceImage(t.Context(), image("4444", "web"), again),
		"no such image":                   s.ReplaceImage(t.Context(), image("4444", "web"), image("5555", "x")),
	} {
		if model.CodeOf(err) != model.CodeConflict {
			t.Errorf("%s: %v; want a conflict", what, err)
		}
	}
	got, err := s.Images(t.Context())
	must(t, err)
	if d := cmp.Diff([]model.Image{aside, image("2222", "taken"), image("3333", "web")}, got); d != "" {
		t.Error(d)
	}
	if err := s.DeleteImage(t.Context(), "1111"); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("deleting what a VM uses: %v", err)
	}
}
