package imagepull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// spool is an archive that came as a stream, kept in a file that has no name:
// however this process ends, nothing of it is left.
type spool struct {
	file *os.File
	size int64
	sum  Digest
	name string // of where it came from
}

// spool keeps what r gives, at most most bytes.
func (c *Cache) spool(r io.Reader, name string, most int64) (*spool, error) {
	f, err := unnamedFile(filepath.Join(c.dir, "ingest"))
	if err != nil {
		return nil, storageError(fmt.Errorf("keeping %s: %w", name, err))
	}
	sum := Digest("sha256:").newHash()
	in := io.TeeReader(io.LimitReader(r, most+1), sum)
	size, err := io.CopyBuffer(writerOnly{f}, in, make([]byte, copyBuffer))
	if err == nil && size > most {
		err = limitError("output_bytes", most, "%s is too large", name)
	}
	if err != nil {
		return nil, errors.Join(storageError(err), f.Close())
	}
	return &spool{file: f, size: size, sum: Digest(fmt.Sprintf("sha256:%x", sum.Sum(nil))), name: name}, nil
}

// writerOnly hides what else a file can do, so that the buffer is used.
type writerOnly struct{ io.Writer }

// unnamedFile makes a file that no directory lists.
func unnamedFile(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), filepath.Join(dir, "(unnamed)")), nil
	}
	f, err := os.CreateTemp(dir, "spool-") // for filesystems without O_TMPFILE
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *spool) String() string { return s.name }

// close may be called more than once.
func (s *spool) close() error {
	if err := s.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

func (s *spool) digest(context.Context) (Digest, int64, error) { return s.sum, s.size, nil }

func (s *spool) open() (*openArchive, error) {
	return &openArchive{io.NewSectionReader(s.file, 0, s.size), io.NopCloser(nil)}, nil
}

// interruptible returns what r gives until ctx ends. A Read of r that waits
// goes on after that, and ends with r.
func interruptible(ctx context.Context, r io.Reader) (in io.Reader, stop func()) {
	out, w := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(writerOnly{w}, readerOnly{r}, make([]byte, copyBuffer))
		_ = w.CloseWithError(err) // never fails
	}()
	quit := context.AfterFunc(ctx, func() { _ = out.CloseWithError(causeOf(ctx, ctx.Err())) })
	return out, func() {
		quit()
		_ = out.CloseWithError(io.ErrClosedPipe)
	}
}

// readerOnly hides what else a reader can do.
type readerOnly struct{ io.Reader }

// noInput is the error of a reference to standard input where there is none.
func noInput(ref Ref) error {
	return model.Errorf(model.CodeInvalid, "%s is standard input, which is here only for: banger image pull --name NAME -", ref)
}
