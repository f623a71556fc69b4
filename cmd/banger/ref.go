package main

import (
	"slices"
	"strings"
)

// fileRefs are the prefixes of references to files of this host.
var fileRefs = []string{"oci", "oci-archive", "docker-archive", "tar", "dir"}

// absoluteRef makes the path of a reference to a file absolute, with the tag
// that may follow it: the daemon works in another directory.
func (a *app) absoluteRef(ref string) (string, error) {
	kind, path, found := strings.Cut(ref, ":")
	if !found || path == "" || strings.HasPrefix(path, "/") || !slices.Contains(fileRefs, kind) {
		return ref, nil
	}
	file, tag, tagged := strings.Cut(path, ":")
	file, err := a.abs(file)
	if err != nil {
		return "", err
	}
	if tagged {
		file += ":" + tag
	}
	return kind + ":" + file, nil
}
