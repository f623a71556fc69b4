package imagepull

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

//go:embed catalog.json
var catalogJSON []byte

// catalogDoc is the list of images that are known by name, each with the
// places where it is looked for, in order.
type catalogDoc struct {
	Default string         `json:"default"`
	Images  []catalogEntry `json:"images"`
}

// catalogEntry is one image of the catalog.
type catalogEntry struct {
	Name        string          `json:"name"`
	Aliases     []string        `json:"aliases"`
	Description string          `json:"description"`
	Sources     []catalogSource `json:"sources"`
}

// catalogSource is one place; exactly one field is set.
type catalogSource struct {
	OCI        string      `json:"oci"`
	Mmdebstrap *debootSpec `json:"mmdebstrap"`
}

// catalog returns the embedded catalog. That it decodes is tested.
var catalog = sync.OnceValue(func() *catalogDoc {
	var doc catalogDoc
	if err := json.Unmarshal(catalogJSON, &doc); err != nil {
		panic(fmt.Sprintf("decoding the embedded catalog.json: %v", err))
	}
	return &doc
})

// find returns the entry of that name or alias, or nil.
func (c *catalogDoc) find(name string) *catalogEntry {
	for i := range c.Images {
		if e := &c.Images[i]; e.Name == name || slices.Contains(e.Aliases, name) {
			return e
		}
	}
	return nil
}

// CatalogNames returns the names of the images in the catalog.
func CatalogNames() []string {
	var names []string
	for _, e := range catalog().Images {
		names = append(names, e.Name)
	}
	return names
}

// DefaultRef returns the reference of the image that is used when none is named.
func DefaultRef() string { return catalog().Default }
