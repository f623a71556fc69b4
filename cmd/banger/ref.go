package main

import (
	"slices"
	"strings"
)

// fileRefs are the prefixes of references to files of this host.
var fileRefs = []string{"oci", "oci-archive", "docker-archive", "archive", "tar", "dir"}

// absoluteRef makes the path of a reference to a file absolute, with the tag
// that may follow it: the daemon works in another directory.
func (a *app) absoluteRef(ref string) (string, error) {
	kind, path, found := strings.Cut(ref, ":")
	if !found || path == "" || strings.HasPrefix(path, "/") || !slices.Contains(fileRefs, kind) {
		return ref, nil
	}
	file, tag, tagged := strings.Cut(path, ":")
	if file == "-" {
		return ref, nil
	}
	file, err := a.abs(file)
	if err != nil {
		return "", err
	}
	if tagged {
		file += ":" + tag
	}
	return kind + ":" + file, nil
}

// isStream tells whether a reference is to standard input.
func isStream(ref string) bool {
	kind, path, found := strings.Cut(ref, ":")
	if !found {
		return ref == "-"
	}
	file, _, _ := strings.Cut(path, ":")
	return file == "-" && slices.Contains(fileRefs, kind)
}
