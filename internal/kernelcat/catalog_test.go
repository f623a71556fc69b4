package kernelcat_test

import (
	"os"
	"strings"
	"testing"

	"banger/internal/kernelcat"
)

func TestEmbeddedCatalogIsValid(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := kernelcat.ParseCatalog(data)
	if err != nil {
		t.Fatal(err)
	}
	defaults := 0
	for _, e := range c.Kernels {
		if e.Default {
			defaults++
		}
	}
	if defaults != 1 {
		t.Errorf("%d defaults", defaults)
	}
}

func TestParseCatalogRefuses(t *testing.T) {
	t.Parallel()
	const (
		source = `"sources":[{"distro":"debian","suite":"bookworm","package":"linux-image"}]`
		rest   = `"description":"d","distro":"debian","arch":"amd64",` + source
		entry  = `{"name":"a",` + rest + `}`
	)
	for name, text := range map[string]string{
		"not JSON":        `kernels`,
		"trailing value":  `{"kernels":[` + entry + `]} {}`,
		"unknown field":   `{"kernels":[{"name":"a","url":"x",` + rest + `}]}`,
		"name twice":      `{"kernels":[` + entry + `,` + entry + `]}`,
		"bad name":        `{"kernels":[{"name":"A/..",` + rest + `}]}`,
		"two defaults":    `{"kernels":[{"name":"a","default":true,` + rest + `},{"name":"b","default":true,` + rest + `}]}`,
		"no sources":      `{"kernels":[{"name":"a","description":"d","distro":"debian","arch":"amd64"}]}`,
		"source unnamed":  `{"kernels":[{"name":"a","description":"d","distro":"debian","arch":"amd64","sources":[{"distro":"debian"}]}]}`,
		"no architecture": `{"kernels":[{"name":"a","description":"d","distro":"debian",` + source + `}]}`,
	} {
		if _, err := kernelcat.ParseCatalog([]byte(text)); err == nil || !strings.Contains(err.Error(), "kernel catalog") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := kernelcat.ParseCatalog([]byte(`{"kernels":[` + entry + `]}`)); err != nil {
		t.Errorf("the entry itself is refused: %v", err)
	}
}
