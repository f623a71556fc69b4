package main

import "testing"

func TestAbsoluteRef(t *testing.T) {
	t.Parallel()
	a := &app{abs: func(path string) (string, error) { return "/cwd/" + path, nil }}
	for ref, want := range map[string]string{
		"":                         "",
		"debian:bookworm":          "debian:bookworm",
		"host:5000/x:1":            "host:5000/x:1",
		"oci:dir":                  "oci:/cwd/dir",
		"oci:dir:tag":              "oci:/cwd/dir:tag",
		"oci:/abs:tag":             "oci:/abs:tag",
		"tar:./root.tar":           "tar:/cwd/./root.tar",
		"docker-archive:a:img:tag": "docker-archive:/cwd/a:img:tag",
		"dir:x":                    "dir:/cwd/x",
		"oci:":                     "oci:",
	} {
		if got, err := a.absoluteRef(ref); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", ref, got, err, want)
		}
	}
}
