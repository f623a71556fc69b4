package imagepull

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
)

const (
	minimumSize = 1 << 30 // bytes of a filesystem that is not given a size
	blockSize   = 4096    // of ext4
)

// BuildOptions says how a root filesystem is to be.
type BuildOptions struct {
	SizeBytes int64        // 0: a quarter more than the tree needs, 1 GiB at least
	Stage     func(string) // called when "pull", "flatten" and "build" begin
}

// Built is what BuildExt4 made.
type Built struct {
	SizeBytes int64
	UsedBytes int64    // on disk: holes do not count
	Digest    string   // imagemgr.RootfsDigest of the file
	Layers    []string // digests, lowest first; of the archive when the blob has none
}

// BuildExt4 makes the root filesystem of img in a new file:
//
//	pull     layers are fetched and verified, and unpacked as they arrive:
//	         contents to the file, names to memory
//	flatten  all are there; the trees are merged, lowest first
//	build    inodes, directories, bitmaps and journal are written
//
// The same layers give the same bytes. The file is durable on success and
// gone on failure.
func (p *Puller) BuildExt4(ctx context.Context, img *Image, path string, opt BuildOptions, report model.Report) (Built, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Built{}, storageError(fmt.Errorf("making the root filesystem: %w", err))
	}
	built, err := p.build(ctx, img, f, opt, report)
	if err == nil {
		built.Digest, err = syncAndDigest(ctx, f)
	}
	if err == nil {
		built.UsedBytes, err = usedBytes(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
		return Built{}, archiveError(causeOf(ctx, err))
	}
	return built, nil
}

// syncAndDigest reads the file, which is in memory still, while the disk
// writes it.
func syncAndDigest(ctx context.Context, f *os.File) (digest string, err error) {
	synced := make(chan error, 1)
	go func() { synced <- f.Sync() }()
	digest, err = imagemgr.RootfsDigest(ctx, f.Name())
	return digest, errors.Join(err, <-synced)
}

func (p *Puller) build(ctx context.Context, img *Image, f *os.File, opt BuildOptions, report model.Report) (Built, error) {
	w, err := ext4.Create(f, ext4Options(img))
	if err != nil {
		return Built{}, err
	}
	opt.Stage("pull")
	layers, err := p.unpackAll(ctx, img.layers, w, func() { opt.Stage("flatten") }, report)
	if err != nil {
		return Built{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/unpacked"); err != nil {
		return Built{}, err
	}
	root, err := p.flatten(ctx, layers)
	if err != nil {
		return Built{}, err
	}
	if err := failpoint.Hit(ctx, "image.pull/flattened"); err != nil {
		return Built{}, err
	}
	opt.Stage("build")
	size, err := sizeFor(ctx, w, root, opt.SizeBytes)
	if err != nil {
		return Built{}, err
	}
	if _, err := w.Finish(ctx, root, ext4.FinishOptions{SizeBytes: size}); err != nil {
		return Built{}, ext4Error(err)
	}
	if err := failpoint.Hit(ctx, "image.pull/built"); err != nil {
		return Built{}, err
	}
	return Built{SizeBytes: size, Layers: layerDigests(img, layers)}, nil
}

// sizeFor returns the size of the filesystem for a tree: what is wanted, else
// a quarter more than it needs and minimumSize at least.
func sizeFor(ctx context.Context, w *ext4.Writer, root *ext4.Node, want int64) (int64, error) {
	if want != 0 {
		return want / blockSize * blockSize, nil
	}
	need, err := w.Need(ctx, root)
	if err != nil {
		return 0, ext4Error(err)
	}
	return max(need+need/4, minimumSize) / blockSize * blockSize, nil
}

// ext4Error classes what the filesystem cannot hold.
func ext4Error(err error) error {
	var size *ext4.SizeError
	var node *ext4.NodeError
	switch {
	case errors.As(err, &size):
		return model.Errorf(model.CodeInvalid, "the image does not fit: %w", err).
			WithHint("leave the size out, or give at least --size %dM", size.Need>>20+1)
	case errors.As(err, &node):
		return model.Errorf(model.CodeUnsupported, "ext4 cannot hold the image: %w", err)
	}
	return err
}

// flatten merges layers, lowest first, and empties them.
func (p *Puller) flatten(ctx context.Context, layers []unpacked) (*ext4.Node, error) {
	t := newTree(p.limits)
	for i := range layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.apply(&layers[i]); err != nil {
			return nil, model.Errorf(model.CodeOf(err), "merging layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	return t.root, nil
}

// ext4Options derives all that is random in a filesystem from what it holds.
func ext4Options(img *Image) ext4.Options {
	opt := ext4.Options{Time: img.Created}
	id := sha256.Sum256([]byte("uuid " + img.Key))
	seed := sha256.Sum256([]byte("hash seed " + img.Key))
	copy(opt.UUID[:], id[:])
	copy(opt.HashSeed[:], seed[:])
	opt.UUID[6] = opt.UUID[6]&0x0f | 0x80 // RFC 9562: version 8, made in its own way
	opt.UUID[8] = opt.UUID[8]&0x3f | 0x80 // and variant
	return opt
}

func layerDigests(img *Image, layers []unpacked) []string {
	var digests []string
	for i, l := range img.layers {
		digests = append(digests, string(cmp.Or(l.digest, layers[i].diffID)))
	}
	return digests
}

func usedBytes(f *os.File) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	return st.Blocks * 512, nil
}
