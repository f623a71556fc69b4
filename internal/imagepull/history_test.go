package imagepull_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// TestHistory: steps and layers are matched by order; a history that does not
// fit the layers is left out, and what it says is cut.
func TestHistory(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	step := func(by string, empty bool) v1.History {
		return v1.History{CreatedBy: by, Comment: "c", Created: v1.Time{Time: when}, EmptyLayer: empty}
	}
	long := strings.Repeat("ä", 5000)
	for what, c := range map[string]struct {
		history []v1.History
		by      []string // of the steps; a layer belongs to those that do not begin with "ENV"
	}{
		"none":         {nil, []string{"", ""}},
		"as it should": {[]v1.History{step("ADD", false), step("ENV", true), step("RUN", false)}, []string{"ADD", "ENV", "RUN"}},
		"too few":      {[]v1.History{step("ADD", false), step("ENV", true)}, []string{"", ""}},
		"too many":     {[]v1.History{step("ADD", false), step("ADD", false), step("RUN", false)}, []string{"", ""}},
		"long":         {[]v1.History{step(long, false), step("RUN", false)}, []string{strings.Repeat("ä", 2048) + "...", "RUN"}},
	} {
		reg, r := newTestRegistry(t), newRig(t, nil)
		img := newImage(t, archive(t, file("a", "1")), archive(t, file("b", "2")))
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.History = c.history
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		parsed, err := imagepull.ParseRef(reg.Push(t, "v1", img))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Resolve(context.Background(), parsed, "linux/amd64", r.report)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantHistory(m.Layers, c.by, when), got.Source.History); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", what, diff)
		}
	}
}

func wantHistory(layers []v1.Descriptor, by []string, when time.Time) []model.HistoryEntry {
	var want []model.HistoryEntry
	for _, text := range by {
		entry := model.HistoryEntry{CreatedBy: text}
		if text != "" {
			entry.Created, entry.Comment = when, "c"
		}
		if text != "ENV" {
			entry.Digest, entry.SizeBytes = layers[0].Digest.String(), layers[0].Size
			layers = layers[1:]
		}
		want = append(want, entry)
	}
	return want
}
