package ext4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/ext4"
)

const (
	sIFDIR = 0o040000
	sIFREG = 0o100000
	sIFLNK = 0o120000

	mib = 1 << 20
	gib = 1 << 30
)

// epoch is the time of everything that has no time of its own.
var epoch = time.Unix(1_700_000_000, 123_456_789)

func testOptions() ext4.Options {
	id := sha256.Sum256([]byte("test"))
	opt := ext4.Options{Label: "rootfs", Time: epoch}
	copy(opt.UUID[:], id[:16])
	copy(opt.HashSeed[:], id[16:])
	return opt
}

func dir(children map[string]*ext4.Node) *ext4.Node {
	return &ext4.Node{Mode: sIFDIR | 0o755, MTime: epoch, Children: children}
}

func symlink(target string) *ext4.Node {
	return &ext4.Node{Mode: sIFLNK | 0o777, MTime: epoch, Link: target}
}

// image is an ext4 file being made in a temporary directory.
type image struct {
	*ext4.Writer
	t      testing.TB
	path   string
	file   *os.File
	stream *ext4.Stream

	content map[*ext4.Node]string // sums of the regular files
}

func newImage(t testing.TB) *image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.ext4")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	w, err := ext4.Create(file, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	return &image{Writer: w, t: t, path: path, file: file, stream: w.NewStream(), content: map[*ext4.Node]string{}}
}

// body streams content.
func (m *image) body(content []byte) ext4.Body {
	m.t.Helper()
	b, err := m.stream.WriteBody(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// reg makes a regular file of content.
func (m *image) reg(content string) *ext4.Node {
	m.t.Helper()
	n := &ext4.Node{Mode: sIFREG | 0o644, MTime: epoch, Body: m.body([]byte(content))}
	m.content[n] = sha([]byte(content))
	return n
}

// finish closes the stream and finishes the image, which must succeed.
func (m *image) finish(root *ext4.Node, size int64) ext4.Stats {
	m.t.Helper()
	if err := m.stream.Close(); err != nil {
		m.t.Fatal(err)
	}
	stats, err := m.Finish(m.t.Context(), root, ext4.FinishOptions{SizeBytes: size})
	if err != nil {
		m.t.Fatal(err)
	}
	return stats
}

// open reads the finished image back.
func (m *image) open() *ext4.FS {
	m.t.Helper()
	fs, err := ext4.Open(m.file)
	if err != nil {
		m.t.Fatal(err)
	}
	return fs
}

// tool returns the path of a program, or skips the test.
func tool(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	t.Skipf("no %s on this machine", name)
	return ""
}

// fsck runs e2fsck, which must find nothing at all to say.
func fsck(t testing.TB, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool(t, "e2fsck"), "-fn", path).CombinedOutput()
	if err != nil {
		t.Fatalf("e2fsck: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "e2fsck ") && !strings.HasPrefix(line, "Pass ") && !strings.Contains(line, "non-contiguous") {
			t.Fatalf("e2fsck says %q in\n%s", line, out)
		}
	}
}

// debugfs returns what one debugfs command prints.
func debugfs(t testing.TB, path, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "debugfs"), "-R", command, path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("debugfs %s: %v\n%s", command, err, stderr.String())
	}
	return string(out)
}

// pattern is random content that differs by seed.
func pattern(seed, n int) []byte {
	p := make([]byte, n)
	_, _ = randomStream(seed).Read(p)
	return p
}

func randomStream(seed int) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], uint64(seed))
	return rand.NewChaCha8(key)
}

func name(i int) string { return fmt.Sprintf("entry-%06d", i) }

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, fs *ext4.FS, path string) string {
	t.Helper()
	r, err := fs.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// sha is the hex of a sum.
func sha(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
