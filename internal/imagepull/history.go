package imagepull

import (
	"strings"
	"time"

	"banger/internal/model"
)

// Bounds of what is kept of an image's history, which goes into its row.
const (
	maxHistory     = 1024
	maxHistoryText = 4 << 10
)

// historyStep is one step in a configuration (image-spec, config.md,
// "history").
type historyStep struct {
	Created    *time.Time `json:"created"`
	CreatedBy  string     `json:"created_by"`
	Comment    string     `json:"comment"`
	EmptyLayer bool       `json:"empty_layer"`
}

// history tells how the layers were made. Steps and layers belong together by
// their order; when the steps do not tell of as many layers as there are, the
// layers alone are told.
func (c *configDoc) history(layers []layer) []model.HistoryEntry {
	made := 0
	for _, step := range c.History {
		if !step.EmptyLayer {
			made++
		}
	}
	steps := c.History
	if made != len(layers) || len(steps) > maxHistory {
		steps = make([]historyStep, len(layers))
	}
	entries := make([]model.HistoryEntry, len(steps))
	for i, step := range steps {
		entries[i] = model.HistoryEntry{CreatedBy: bounded(step.CreatedBy), Comment: bounded(step.Comment)}
		if step.Created != nil {
			entries[i].Created = step.Created.UTC()
		}
		if !step.EmptyLayer {
			l := layers[0]
			layers = layers[1:]
			entries[i].Digest, entries[i].SizeBytes = string(l.name()), l.size
		}
	}
	return entries
}

// name is the digest that is known of a layer before it is read.
func (l *layer) name() Digest {
	if l.digest != "" {
		return l.digest
	}
	return l.diffID
}

// bounded cuts what an image says, between two characters.
func bounded(s string) string {
	if len(s) <= maxHistoryText {
		return s
	}
	return strings.ToValidUTF8(s[:maxHistoryText], "") + "..."
}
