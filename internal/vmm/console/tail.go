package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxTail bounds what Tail returns in bytes: a guest may write lines of any
// length.
const maxTail = 1 << 20

// maxCopy bounds what Follow copies before it looks at its context again.
const maxCopy = 16 << 20

// pollInterval is how often Follow looks for new output.
const pollInterval = 200 * time.Millisecond

// Tail returns the last lines of file, at most 1 MiB, as the guest wrote
// them: escape sequences are in there. next is where Follow goes on. A file
// that does not exist is an empty one.
func Tail(file string, lines int) (tail []byte, next int64, err error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading a console: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", file, err)
	}
	start, err := dataStart(f)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", file, err)
	}
	start = min(max(start, size-maxTail), size)
	buf := make([]byte, size-start)
	n, err := f.ReadAt(buf, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading %s: %w", file, err)
	}
	return lastLines(buf[:n], lines), start + int64(n), nil
}

// lastLines returns the end of b from the start of its n-th last line on. A
// last line without newline counts.
func lastLines(b []byte, n int) []byte {
	if n <= 0 {
		return nil
	}
	at := len(b)
	if at > 0 && b[at-1] == '\n' {
		at--
	}
	for ; n > 0; n-- {
		i := bytes.LastIndexByte(b[:at], '\n')
		if i < 0 {
			return b
		}
		at = i
	}
	return b[at+1:]
}

// Follow copies what is appended to file from offset from on to w until ctx
// ends, and returns ctx's error then. What was trimmed before it could be
// copied is left out.
func Follow(ctx context.Context, file string, from int64, w io.Writer) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		n, err := copyFrom(file, from, w)
		if err != nil {
			return err
		}
		from += n
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Copy writes what file holds from offset from on to w, and returns the offset
// behind it. What was trimmed is left out.
func Copy(file string, from int64, w io.Writer) (next int64, err error) {
	for {
		n, err := copyFrom(file, from, w)
		if n == 0 || err != nil {
			return from, err
		}
		from += n
	}
}

// copyFrom copies file from offset from to its end, at most maxCopy bytes,
// and returns how far that was, holes included.
func copyFrom(file string, from int64, w io.Writer) (int64, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("following a console: %w", err)
	}
	defer f.Close()
	data, err := unix.Seek(int(f.Fd()), from, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) { // nothing was appended
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("following %s: %w", file, err)
	}
	n, err := io.Copy(w, io.LimitReader(f, maxCopy)) // from data on, where Seek left the file
	if err != nil {
		return 0, fmt.Errorf("following %s: %w", file, err)
	}
	return data - from + n, nil
}
