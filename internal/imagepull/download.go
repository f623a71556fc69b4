package imagepull

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"banger/internal/model"
)

const (
	// minProgress is what a transfer must bring between two looks; a server
	// that sends a byte now and then does not count as one that answers.
	minProgress = 1024

	// freshAttempts is what an attempt must bring to earn new ones.
	freshAttempts = 1 << 20

	copyBuffer = 256 << 10
)

func (r *registry) layer(d descriptor) layer {
	return cachedLayer(r.cache, d, r.repo.RegistryStr(), r.download)
}

// download appends what is missing of a blob, across breaks of the connection.
func (r *registry) download(ctx context.Context, in *ingest, report model.Report) error {
	return r.backoff.retry(ctx, func() (bool, error) {
		if in.offset == in.size && in.size > 0 {
			return true, nil
		}
		before := in.offset
		err := r.downloadOnce(ctx, in, report)
		return in.offset-before >= freshAttempts, err
	})
}

// downloadOnce sends one request and appends what it brings.
func (r *registry) downloadOnce(ctx context.Context, in *ingest, report model.Report) error {
	ctx, watch := newWatchdog(ctx, "the registry", r.limits.Stall)
	defer watch.stop()
	resp, err := r.getBlob(ctx, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	meter := &meter{in: in, report: report, watch: watch}
	if _, err := io.CopyBuffer(meter, resp.Body, make([]byte, copyBuffer)); err != nil {
		return causeOf(ctx, err)
	}
	return nil // an answer that ends well before the blob does is for commit to refuse
}

// getBlob asks for what is missing of a blob, or for all of it when the
// registry cannot continue.
func (r *registry) getBlob(ctx context.Context, in *ingest) (*http.Response, error) {
	path := "blobs/" + string(in.digest)
	resp, err := r.get(ctx, path, "", in.offset)
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable && in.offset > 0 {
		if err := in.reset(); err != nil {
			return nil, err
		}
		resp, err = r.get(ctx, path, "", 0)
	}
	if err != nil {
		return nil, err
	}
	if err := seekTo(in, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// seekTo makes the ingest continue where the answer does: at its offset, or
// at the beginning when the server ignored the range.
func seekTo(in *ingest, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		if in.offset > 0 {
			return in.reset()
		}
		return nil
	}
	want := fmt.Sprintf("bytes %d-", in.offset)
	if got := resp.Header.Get("Content-Range"); !strings.HasPrefix(got, want) {
		return model.Errorf(model.CodeIntegrity, "asked for bytes from %d on, the registry sends %.64q", in.offset, got)
	}
	return nil
}

// meter passes a transfer on to the ingest and tells how far it is.
type meter struct {
	in       *ingest
	report   model.Report
	watch    *watchdog
	reported int64
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.in.Write(p)
	m.watch.progress(n)
	if m.in.offset-m.reported >= max(m.in.size/64, copyBuffer) {
		m.reported = m.in.offset
		item(m.report, m.in.digest, m.in.offset, m.in.size)
	}
	return n, err
}

func item(report model.Report, d Digest, current, total int64) {
	report(model.Progress{Item: &model.ItemProgress{ID: d.Short(), Current: current, Total: total}})
}

// watchdog ends a transfer that stands still.
type watchdog struct {
	who    string
	bytes  atomic.Int64
	stop   context.CancelFunc
	period time.Duration
}

// newWatchdog returns a context that ends, with an error that says so, when
// less than minProgress bytes come in a period.
func newWatchdog(ctx context.Context, who string, period time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{who: who, period: period, stop: func() { cancel(nil) }}
	go w.run(ctx, cancel)
	return ctx, w
}

func (w *watchdog) run(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(w.period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if w.bytes.Swap(0) < minProgress {
				cancel(model.Errorf(model.CodeTimeout, "%s sent nothing for %v", w.who, w.period).
					WithHint("pull again: what has arrived is kept"))
				return
			}
		}
	}
}

func (w *watchdog) progress(n int) { w.bytes.Add(int64(n)) }
