package imagepull

import (
	"archive/tar"
	"errors"
	"time"

	"banger/internal/model"
)

// Limits bound what an image may cost. Every one is counted before anything
// is written or kept, and the error of one that is reached names it.
type Limits struct {
	OutputBytes   int64         // what all layers may unpack to
	Entries       int64         // archive members of all layers
	MetadataBytes int64         // what all layers take in memory: members, names, link targets, extended attributes
	Layers        int           // of one image
	PathBytes     int           // of one member's name
	Depth         int           // directories below each other
	XattrBytes    int           // extended attributes of one file
	ManifestBytes int64         // a manifest or an index
	ConfigBytes   int64         // an image configuration
	WindowBytes   uint64        // window of a zstd frame
	Lookups       int64         // names looked up while merging
	Stall         time.Duration // a transfer without progress
}

// DefaultLimits returns limits that ordinary images stay far below.
func DefaultLimits() Limits {
	return Limits{
		OutputBytes:   64 << 30,
		Entries:       5_000_000,
		MetadataBytes: 160 << 20, // of a daemon that is to stay below 256 MiB
		Layers:        512,
		PathBytes:     4095,
		Depth:         2048,
		XattrBytes:    64 << 10,
		ManifestBytes: 4 << 20,
		ConfigBytes:   8 << 20,
		WindowBytes:   32 << 20, // what the highest levels in use want; there is one for each layer being unpacked
		Lookups:       1 << 28,
		Stall:         time.Minute,
	}
}

// limitError says which limit was reached and how its setting is called.
func limitError(setting string, limit any, format string, args ...any) *model.Error {
	return model.Errorf(model.CodeLimit, format+" (limit image.%s = %v)", append(args, setting, limit)...).
		WithHint("if the image is trusted, raise image.%s in config.toml: banger config show", setting)
}

// maxSpecialBytes is what the archive reader takes of an extended header, of a
// long name and of the map of a sparse file (archive/tar, maxSpecialFileSize).
const maxSpecialBytes = 1 << 20

// memberError tells which of the archive reader's own limits was reached, if
// it was one.
func memberError(err error) error {
	what := ""
	switch {
	case errors.Is(err, tar.ErrFieldTooLong):
		what = "extended header"
	case err.Error() == "archive/tar: sparse map too long": // the reader has no name for it
		what = "map of a sparse file"
	default:
		return err
	}
	return fixedLimitError("bytes of one", maxSpecialBytes, "a member's %s is too long", what).
		WithHint("no setting raises this limit: make the archive anew without it")
}

// fixedLimitError is limitError for a limit that is no setting.
func fixedLimitError(what string, limit int, format string, args ...any) *model.Error {
	return model.Errorf(model.CodeLimit, format+" (%s: at most %d)", append(args, what, limit)...)
}
