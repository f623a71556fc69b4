package imagepull

import (
	"strings"

	"banger/internal/ext4"
	"banger/internal/model"
)

// entryKind is what a member of a layer does to the tree.
type entryKind uint8

const (
	put      entryKind = iota // the node stands at the path
	hardLink                  // the path is another name of what is at target
	whiteout                  // what lower layers have at the path is gone
	opaque                    // what lower layers have below the path is gone
)

// Markers of the OCI layer format (image-spec, layer.md, "Whiteouts"). Names
// that begin with aufsPrefix are bookkeeping of AUFS.
const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
	aufsPrefix     = ".wh..wh."
)

// entry is a member of a layer without its content.
type entry struct {
	kind   entryKind
	path   string     // clean, "" is the root
	target string     // of a hard link, as it stands in the archive
	node   *ext4.Node // of put
}

// marker tells whether path is a whiteout or an opaque marker, and which.
// skip says that it is neither but bookkeeping that has no meaning here.
func marker(path string) (e entry, isMarker, skip bool, err error) {
	dir, base := splitPath(path)
	if !strings.HasPrefix(base, whiteoutPrefix) {
		return entry{}, false, strings.HasPrefix(path, aufsPrefix), nil
	}
	if base == opaqueName {
		return entry{kind: opaque, path: dir}, true, false, nil
	}
	if strings.HasPrefix(base, aufsPrefix) {
		return entry{}, true, true, nil
	}
	hidden := strings.TrimPrefix(base, whiteoutPrefix)
	if hidden == "" || hidden == "." || hidden == ".." {
		return entry{}, true, false, model.Errorf(model.CodeIntegrity, "whiteout %q hides nothing that can be", path)
	}
	if dir != "" {
		hidden = dir + "/" + hidden
	}
	return entry{kind: whiteout, path: hidden}, true, false, nil
}
