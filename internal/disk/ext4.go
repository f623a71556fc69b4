package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"banger/internal/ext4"
	"banger/internal/model"
)

// Sizes in bytes that a disk may have. Filesystems made here grow up to the
// larger one on line.
const (
	MinSize = 16 << 20
	MaxSize = 2 << 40
)

// CheckSize refuses a size that no disk can have; what names the disk.
func CheckSize(what string, size int64) error {
	switch {
	case size < MinSize:
		return model.Errorf(model.CodeInvalid, "%s of %d bytes: at least %d MiB are needed", what, size, MinSize>>20)
	case size > MaxSize:
		return model.Errorf(model.CodeLimit, "%s of %d bytes: at most %d TiB are possible", what, size, MaxSize>>40)
	}
	return nil
}

// Ext4Options say what a new filesystem is.
type Ext4Options struct {
	SizeBytes int64
	Label     string // at most 16 bytes
	Seed      *Seed  // nil: empty, root's
}

// MakeExt4 makes a raw disk with an ext4 filesystem. It needs no privilege and
// takes space for what is in it alone. On error there is no file.
func MakeExt4(ctx context.Context, path string, opt Ext4Options) error {
	err := writeWhole(path, func(f *os.File) error { return writeExt4(ctx, f, opt) })
	var size *ext4.SizeError
	if errors.As(err, &size) {
		return model.Errorf(model.CodeInvalid, "a disk of %d bytes is too small: %w", opt.SizeBytes, err).
			WithHint("give it at least %d MiB", size.Need>>20+1)
	}
	return explain("making", path, err)
}

func writeExt4(ctx context.Context, f *os.File, opt Ext4Options) error {
	ids := ext4.Options{Label: opt.Label, Time: time.Now()}
	_, _ = rand.Read(ids.UUID[:])
	_, _ = rand.Read(ids.HashSeed[:])
	ids.UUID[6] = ids.UUID[6]&0x0f | 0x40 // RFC 9562: version 4, random
	ids.UUID[8] = ids.UUID[8]&0x3f | 0x80 // and variant
	w, err := ext4.Create(f, ids)
	if err != nil {
		return err
	}
	root := &ext4.Node{Mode: dirMode | 0o755, MTime: ids.Time}
	if opt.Seed != nil {
		if root, err = opt.Seed.plant(ctx, w); err != nil {
			return fmt.Errorf("copying %s of the image: %w", opt.Seed.Dir, err)
		}
	}
	_, err = w.Finish(ctx, root, ext4.FinishOptions{SizeBytes: roundUp(opt.SizeBytes)})
	return err
}

// NeedsRecovery says whether the ext4 on a raw disk was left without being
// unmounted: its journal has changes that only a mount that writes replays.
func NeedsRecovery(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("looking at a disk: %w", err)
	}
	defer f.Close()
	fs, err := ext4.Open(f)
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", path, err)
	}
	return fs.Superblock().NeedsRecovery, nil
}
