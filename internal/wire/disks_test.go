package wire_test

import (
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/wire"
)

func TestMountPaths(t *testing.T) {
	t.Parallel()
	for path, good := range map[string]bool{
		"/data": true, "/home/app/x": true, "/run/x": true, "/devices": true, "/" + strings.Repeat("a", 4000): true,
		"": false, "/": false, "data": false, "/data/": false, "/a/../b": false, "/a//b": false, "/a\x00": false,
		"/proc": false, "/sys/x": false, "/dev": false, "/" + strings.Repeat("a", 5000): false,
	} {
		if err := wire.ValidateMountPath(path); (err == nil) != good || err != nil && model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%.40q: %v", path, err)
		}
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	good := wire.Mount{Device: "/dev/vdb", Path: "/data", FSType: "ext4"}
	with := func(change func(*wire.Mount)) []wire.Mount {
		m := good
		change(&m)
		return []wire.Mount{m}
	}
	for name, tc := range map[string]struct {
		mounts []wire.Mount
		good   bool
	}{
		"good":            {[]wire.Mount{good}, true},
		"many":            {make([]wire.Mount, 17), false},
		"another path":    {with(func(m *wire.Mount) { m.Path = "/proc/1" }), false},
		"no device":       {with(func(m *wire.Mount) { m.Device = "" }), false},
		"a path for one":  {with(func(m *wire.Mount) { m.Device = "/dev/../etc/passwd" }), false},
		"another fs":      {with(func(m *wire.Mount) { m.FSType = "ntfs" }), false},
		"another process": {with(func(m *wire.Mount) { m.Device = "/proc/1/root" }), false},
	} {
		cfg := wire.Config{Hostname: "web", Root: wire.RootFS{Device: "/dev/vda", FSType: "ext4"}, Mounts: tc.mounts}
		if err := cfg.Validate(); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, g := range []wire.Grow{{}, {Device: "/dev/vda"}, {Device: "vda", SizeBytes: 1}, {Device: "/dev/vda", SizeBytes: -1}} {
		if err := g.Validate(); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%+v: %v", g, err)
		}
	}
}
