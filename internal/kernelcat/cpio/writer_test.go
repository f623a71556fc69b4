package cpio_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"banger/internal/kernelcat/cpio"

	reference "github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

type entry struct {
	Name string
	Mode int64
	Body string
}

func write(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	err := errors.Join(
		w.Dir("dev", 0o755),
		w.CharDevice("dev/console", 0o600, 5, 1),
		w.File("init", 0o755, 5, strings.NewReader("agent")),
		w.File("empty", 0o644, 0, strings.NewReader("")),
		w.File("modules.list", 0o644, 4, strings.NewReader("list")),
		w.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnotherReaderAgrees(t *testing.T) {
	t.Parallel()
	r := reference.NewReader(bytes.NewReader(write(t)))
	var got []entry
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{h.Name, int64(h.Mode), string(body)})
	}
	want := []entry{
		{"dev", 0o040755, ""},
		{"dev/console", 0o020600, ""},
		{"init", 0o100755, "agent"},
		{"empty", 0o100644, ""},
		{"modules.list", 0o100644, "list"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestDeviceNumbers reads the fields that the other reader leaves out.
func TestDeviceNumbers(t *testing.T) {
	t.Parallel()
	archive := string(write(t))
	i := strings.Index(archive, "dev/console")
	head := archive[i-110 : i]
	if got := head[6+9*8 : 6+11*8]; got != "0000000500000001" {
		t.Errorf("major and minor of the device: %s", got)
	}
}

func TestEqualInputGivesEqualBytes(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(write(t), write(t)) {
		t.Error("two archives of the same files differ")
	}
}

func TestFileRefuses(t *testing.T) {
	t.Parallel()
	w := cpio.NewWriter(io.Discard)
	if err := w.File("short", 0o644, 10, strings.NewReader("12345")); !errors.Is(err, io.EOF) {
		t.Errorf("a body that is too short: %v", err)
	}
	if err := w.File("large", 0o644, 1<<32, strings.NewReader("")); err == nil {
		t.Error("a size beyond 32 bits is taken")
	}
}
