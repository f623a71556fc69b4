package imagepull

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"banger/internal/model"
)

// dirSource is a root filesystem in a directory on this host. It is read as
// an archive that is written on the fly, so that all that holds for layers
// holds for it.
type dirSource struct{ dir string }

func (s *dirSource) String() string { return "directory " + s.dir }

// resolve reads the tree once to learn the digest of its archive: an image
// that has been made of it already is recognized, and changes on the way are
// noticed.
func (s *dirSource) resolve(ctx context.Context, want Platform, report model.Report) (*Image, error) {
	skipped := &skips{}
	sum := Digest("sha256:").newHash()
	counted := &countingWriter{w: sum}
	if err := archiveDir(ctx, s.dir, counted, skipped); err != nil {
		return nil, err
	}
	skipped.tell(report)
	digest := Digest(fmt.Sprintf("sha256:%x", sum.Sum(nil)))
	return &Image{
		Key:     string(digest),
		Source:  model.ImageSource{Kind: KindDir, Platform: want.String(), Layers: []string{string(digest)}},
		Config:  plainConfig(want),
		Created: time.Unix(0, 0).UTC(),
		layers:  []layer{{diffID: digest, size: counted.n, live: true, open: s.open}},
	}, nil
}

// open starts to write the archive.
func (s *dirSource) open(ctx context.Context, _ model.Report) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffered := bufio.NewWriterSize(w, copyBuffer) // an archive is many small writes
		err := archiveDir(ctx, s.dir, buffered, &skips{})
		_ = w.CloseWithError(errors.Join(err, buffered.Flush())) // never fails
	}()
	return &dirArchive{PipeReader: r, cancel: cancel, done: done}, nil
}

// dirArchive is the archive of a directory while it is written.
type dirArchive struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close ends the writer and waits for it.
func (d *dirArchive) Close() error {
	d.cancel()
	err := d.PipeReader.Close()
	<-d.done
	return err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}
