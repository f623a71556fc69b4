package main

import (
	"errors"
	"io"
	"os"
	"testing"
)

func TestImageExport(t *testing.T) {
	t.Parallel()
	d := newFakeDaemon()
	if code, _, stderr := banger(t, d, "image", "pull", "--name", "img", "x"); code != exitOK {
		t.Fatal(stderr)
	}
	if code, stdout, _ := banger(t, d, "image", "export", "-o", "-", "img"); code != exitOK || stdout != "tar of img" {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	for _, args := range [][]string{{"img"}, {"--json", "-o", "-", "img"}, {"--format", "oci"}} {
		if code, _, _ := banger(t, d, append([]string{"image", "export"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	if code, _, _ := banger(t, d, "image", "export", "-o", "-", "none"); code != exitNotFound {
		t.Errorf("no image: exit code %d", code)
	}
}

func TestWriteWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := errors.New("broken")
	size, err := writeWhole(dir+"/out", func(w io.Writer) error {
		_, err := io.WriteString(w, "archive")
		return err
	})
	if b, readErr := os.ReadFile(dir + "/out"); err != nil || readErr != nil || size != 7 || string(b) != "archive" {
		t.Errorf("%d, %v, %q, %v", size, err, b, readErr)
	}
	if _, err := writeWhole(dir+"/half", func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	}); !errors.Is(err, broken) {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
