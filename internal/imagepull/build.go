package imagepull

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/failpoint"
	"banger/internal/model"
)

const (
	maxDownloads = 4       // layers fetched at the same time
	minimumSize  = 1 << 30 // bytes of a filesystem that is not given a size
	blockSize    = 4096    // of ext4
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
		err = f.Sync()
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

// unpackAll fetches and unpacks the layers side by side, the largest first,
// and calls arrived when all have been fetched.
func (p *Puller) unpackAll(ctx context.Context, layers []layer, w *ext4.Writer, arrived func(), report model.Report) ([]unpacked, error) {
	job := &unpackJob{
		unpacker:  unpacker{budget: &budget{limits: p.limits}, skipped: &skips{}},
		layers:    layers,
		done:      make([]unpacked, len(layers)),
		report:    report,
		arrived:   arrived,
		downloads: newSlots(maxDownloads),
		cpus:      newSlots(runtime.GOMAXPROCS(0)),
	}
	for _, l := range layers {
		job.streams = append(job.streams, w.NewSizedStream(l.expect))
	}
	job.pending.Store(int64(len(layers)))
	group, ctx := errgroup.WithContext(ctx)
	for _, i := range largestFirst(layers) {
		group.Go(func() error { return job.layer(ctx, i) })
	}
	err := group.Wait()
	job.skipped.tell(report)
	return job.done, err
}

// unpackJob is what the goroutines of one unpackAll share.
type unpackJob struct {
	unpacker
	layers          []layer
	done            []unpacked     // each goroutine writes its own
	streams         []*ext4.Stream // of each layer, so that placement depends on their order alone
	report          model.Report
	pending         atomic.Int64 // layers that have not arrived
	arrived         func()
	downloads, cpus slots
}

// layer fetches and unpacks one layer.
func (j *unpackJob) layer(ctx context.Context, i int) error {
	blob, err := j.fetch(ctx, i)
	if err != nil {
		return err
	}
	release, err := j.cpus.take(ctx)
	if err != nil {
		return errors.Join(err, blob.Close())
	}
	defer release()
	stream := j.streams[i]
	j.done[i], err = j.unpack(ctx, blob, j.layers[i].diffID, stream)
	if err = errors.Join(err, stream.Close()); err != nil {
		return layerError(ctx, i, j.layers, err)
	}
	if j.layers[i].live {
		j.arrive()
	}
	return nil
}

func (j *unpackJob) fetch(ctx context.Context, i int) (io.ReadCloser, error) {
	release, err := j.downloads.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	blob, err := j.layers[i].open(ctx, j.report)
	if err != nil {
		return nil, model.Errorf(model.CodeOf(err), "pulling layer %d of %d: %w", i+1, len(j.layers), err)
	}
	if !j.layers[i].live {
		j.arrive()
	}
	return blob, nil
}

// arrive counts a layer that is here.
func (j *unpackJob) arrive() {
	if j.pending.Add(-1) == 0 {
		j.arrived()
	}
}

// layerError names the layer, and looks whether our own copy of it is to blame.
func layerError(ctx context.Context, i int, layers []layer, err error) error {
	err = model.Errorf(model.CodeOf(err), "unpacking layer %d of %d: %w", i+1, len(layers), err)
	if model.CodeOf(err) != model.CodeIntegrity || layers[i].damaged == nil || !layers[i].damaged(ctx) {
		return err
	}
	return model.Errorf(model.CodeIntegrity, "%w: the cached copy was damaged and has been removed", err).
		WithHint("pull again")
}

// flatten merges layers, lowest first.
func (p *Puller) flatten(ctx context.Context, layers []unpacked) (*ext4.Node, error) {
	t := newTree(p.limits)
	for i, l := range layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.apply(l.entries); err != nil {
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

func largestFirst(layers []layer) []int {
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(layers[b].size, layers[a].size) })
	return order
}

func usedBytes(f *os.File) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	return st.Blocks * 512, nil
}

// slots bound how many goroutines do something at the same time.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

func (s slots) take(ctx context.Context) (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
