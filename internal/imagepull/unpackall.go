package imagepull

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"banger/internal/ext4"
	"banger/internal/model"
)

const (
	maxDownloads = 4                // layers fetched at the same time
	maxUnpacks   = maxDownloads + 2 // unpacked at the same time: two need not wait for the network
)

// unpackAll fetches and unpacks the layers side by side, the largest first,
// and calls arrived when all have been fetched.
func (p *Puller) unpackAll(ctx context.Context, layers []layer, w *ext4.Writer, arrived func(), report model.Report) ([]unpacked, error) {
	job := &unpackJob{
		budget:    &budget{limits: p.limits},
		skipped:   &skips{},
		layers:    layers,
		done:      make([]unpacked, len(layers)),
		report:    report,
		arrived:   arrived,
		downloads: newSlots(maxDownloads),
		unpacks:   newSlots(maxUnpacks),
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
	job.fetches.Wait()
	job.skipped.tell(report)
	return job.done, err
}

// unpackJob is what the goroutines of one unpackAll share.
type unpackJob struct {
	budget             *budget
	skipped            *skips
	layers             []layer
	done               []unpacked     // each goroutine writes its own
	streams            []*ext4.Stream // of each layer, so that placement depends on their order alone
	report             model.Report
	pending            atomic.Int64 // layers that have not arrived
	arrived            func()
	fetches            sync.WaitGroup // that go on beside the unpacking
	downloads, unpacks slots
}

// layer fetches and unpacks one layer. One that was still on its way may have
// to be unpacked again when it is here.
func (j *unpackJob) layer(ctx context.Context, i int) error {
	blob, err := j.fetch(ctx, i)
	if err != nil {
		return err
	}
	release, err := j.unpacks.take(ctx)
	if err != nil {
		return errors.Join(err, blob.Close())
	}
	defer release()
	again, err := j.unpackLayer(ctx, i, blob)
	if again {
		if blob, err = j.open(ctx, i); err != nil {
			return err
		}
		_, err = j.unpackLayer(ctx, i, blob)
	}
	if err != nil {
		return err
	}
	if j.layers[i].live {
		j.arrive()
	}
	return j.streams[i].Close()
}

// unpackLayer unpacks a blob and closes it.
func (j *unpackJob) unpackLayer(ctx context.Context, i int, blob io.ReadCloser) (again bool, err error) {
	u := unpacker{tab: &tab{budget: j.budget}, skipped: j.skipped}
	j.done[i], err = u.unpack(ctx, blob, j.layers[i].diffID, j.streams[i])
	if in, ok := blob.(*incoming); ok && mayBlameBlob(err) {
		restarted, failed := in.outcome()
		if failed != nil {
			return false, j.pullError(i, failed)
		}
		if restarted {
			u.tab.refund()
			j.streams[i].Rewind()
			return true, nil
		}
	}
	if err != nil {
		return false, layerError(ctx, i, j.layers, err)
	}
	return false, nil
}

// mayBlameBlob tells whether an unpacking can have ended like this because of
// how the fetch of its blob ended. An unpacking that ended well is no proof
// that the blob is right.
func mayBlameBlob(err error) bool {
	if err == nil {
		return true
	}
	switch model.CodeOf(err) {
	case model.CodeLimit, model.CodeCanceled, model.CodeNoSpace, model.CodeInternal:
		return false
	}
	return true
}

// fetch opens the blob of a layer. The layer counts as being downloaded until
// all of it has arrived.
func (j *unpackJob) fetch(ctx context.Context, i int) (io.ReadCloser, error) {
	release, err := j.downloads.take(ctx)
	if err != nil {
		return nil, err
	}
	blob, err := j.open(ctx, i)
	if err != nil {
		release()
		return nil, err
	}
	in, ok := blob.(*incoming)
	if !ok {
		release()
		j.arrivedUnlessLive(i)
		return blob, nil
	}
	j.fetches.Go(func() {
		_, err := in.outcome()
		release()
		if err == nil {
			j.arrivedUnlessLive(i)
		}
	})
	return blob, nil
}

func (j *unpackJob) open(ctx context.Context, i int) (io.ReadCloser, error) {
	blob, err := j.layers[i].open(ctx, j.report)
	if err != nil {
		return nil, j.pullError(i, err)
	}
	return blob, nil
}

func (j *unpackJob) pullError(i int, err error) error {
	return model.Errorf(model.CodeOf(err), "pulling layer %d of %d: %w", i+1, len(j.layers), err)
}

func (j *unpackJob) arrivedUnlessLive(i int) {
	if !j.layers[i].live {
		j.arrive()
	}
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

func largestFirst(layers []layer) []int {
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(layers[b].size, layers[a].size) })
	return order
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
