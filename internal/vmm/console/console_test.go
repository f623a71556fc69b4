package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/vmm/console"
)

func diskUse(t *testing.T, file string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

func trim(t *testing.T, file string, keep int64) {
	t.Helper()
	err := console.Trim(file, keep)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the filesystem of the temporary directory has no holes")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTrimWhileAppending appends numbered lines while the file is trimmed:
// the last ones are all there, each once, and the disk use is bounded.
func TestTrimWhileAppending(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "console.log")
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const keep, lines = 256 << 10, 200_000
	for i := range lines {
		if _, err := fmt.Fprintf(f, "line %09d\n", i); err != nil {
			t.Fatal(err)
		}
		if i%5000 == 0 {
			trim(t, file, keep)
		}
	}
	trim(t, file, keep)
	if use := diskUse(t, file); use > keep+128<<10 {
		t.Errorf("%d bytes on disk", use)
	}
	tail, next, err := console.Tail(file, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := lines - 10_000; i < lines; i++ {
		fmt.Fprintf(&want, "line %09d\n", i)
	}
	if !bytes.Equal(tail, want.Bytes()) || next != lines*15 {
		t.Errorf("tail of %d bytes ends at %d", len(tail), next)
	}
}

func TestTailSkipsTheHole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "console.log")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1<<20)+"\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trim(t, file, 100)
	tail, _, err := console.Tail(file, 100)
	if err != nil || bytes.IndexByte(tail, 0) >= 0 || !bytes.HasSuffix(tail, []byte("x\nend\n")) {
		t.Errorf("tail of %d bytes, %v", len(tail), err)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		content string
		lines   int
		want    string
	}{
		{"", 3, ""},
		{"a\nb\nc\n", 0, ""},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 2, "b\nc"},
		{"a\nb\n", 5, "a\nb\n"},
		{"\n\n", 1, "\n"},
	} {
		file := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		tail, next, err := console.Tail(file, c.lines)
		if err != nil || string(tail) != c.want || next != int64(len(c.content)) {
			t.Errorf("last %d lines of %q: %q up to %d, %v", c.lines, c.content, tail, next, err)
		}
	}
}

func TestMissingFileIsEmpty(t *testing.T) {
	t.Parallel()
	tail, next, err := console.Tail(filepath.Join(t.TempDir(), "none"), 3)
	if len(tail) != 0 || next != 0 || err != nil {
		t.Errorf("%q, %d, %v", tail, next, err)
	}
}

// syncBuffer may be read while it is written to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestFollow(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "console.log")
	ctx, cancel := context.WithCancel(t.Context())
	var got syncBuffer
	done := make(chan error, 1)
	go func() { done <- console.Follow(ctx, file, 2, &got) }()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := ""
	for _, part := range []string{"12345", "678\n", "9"} {
		if _, err := f.WriteString(part); err != nil {
			t.Fatal(err)
		}
		want += part
		await(t, func() bool { return got.String() == want[2:] })
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow: %v", err)
	}
}

func await(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatal("waited in vain")
}
