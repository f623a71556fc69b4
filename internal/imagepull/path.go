package imagepull

import (
	"strings"

	"banger/internal/model"
)

const (
	maxNameBytes = 255  // of one component: ext4 and Linux (NAME_MAX)
	maxLinkBytes = 4095 // of a link's target: Linux (PATH_MAX) less the zero byte
)

// memberPath returns the path of an archive member relative to the root,
// without empty and "." components; "" is the root. Names that leave the root
// are refused, wherever they come back to.
func memberPath(name string, limits Limits) (string, error) {
	if name == "" {
		return "", model.Errorf(model.CodeIntegrity, "a file has no name")
	}
	if len(name) > limits.PathBytes+2 { // "./" does not count
		return "", limitError("path_bytes", limits.PathBytes, "file name %.40q... has %d bytes", name, len(name))
	}
	if len(name) <= limits.PathBytes && isClean(name) {
		return name, nil
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", model.Errorf(model.CodeIntegrity, "file name %q leaves the root", name)
			}
			parts = parts[:len(parts)-1]
		default:
			if len(part) > maxNameBytes {
				return "", model.Errorf(model.CodeIntegrity, "file name %.40q... has a part of %d bytes: at most %d are allowed", name, len(part), maxNameBytes)
			}
			parts = append(parts, part)
		}
	}
	path := strings.Join(parts, "/")
	if len(path) > limits.PathBytes {
		return "", limitError("path_bytes", limits.PathBytes, "file name %.40q... has %d bytes", name, len(path))
	}
	return path, nil
}

// isClean tells names that memberPath would return as they are: nearly all.
func isClean(name string) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		part := name[start:i]
		if part == "" || part == "." || part == ".." || len(part) > maxNameBytes {
			return false
		}
		start = i + 1
	}
	return true
}

// splitPath splits a clean path into the directory, "" for the root, and the
// last component.
func splitPath(path string) (dir, base string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}
