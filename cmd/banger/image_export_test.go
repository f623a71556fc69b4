package main

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
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
	if _, err := writeWhole(dir, nil); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("a directory: %v", err)
	}
	if _, err := writeWhole(dir+"/none/x", nil); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("in no directory: %v", err)
	}
}

// TestWriteWholeToWhatIsThere: links, devices and pipes stay what they are.
func TestWriteWholeToWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	words := func(w io.Writer) error {
		_, err := io.WriteString(w, "archive")
		return err
	}
	if err := errors.Join(os.WriteFile(dir+"/target", []byte("old"), 0o600), os.Symlink("target", dir+"/link"), unix.Mkfifo(dir+"/pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := writeWhole(dir+"/link", words); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(dir + "/target"); err != nil || string(b) != "archive" {
		t.Errorf("the target of the link: %q, %v", b, err)
	}
	if info, err := os.Lstat(dir + "/link"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	read := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(dir + "/pipe")
		read <- string(b)
	}()
	if size, err := writeWhole(dir+"/pipe", words); err != nil || size != 7 {
		t.Errorf("a pipe: %d, %v", size, err)
	}
	if got := <-read; got != "archive" {
		t.Errorf("from the pipe: %q", got)
	}
	if size, err := writeWhole("/dev/null", words); err != nil || size != 7 {
		t.Errorf("/dev/null: %d, %v", size, err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null is %v, %v", info, err)
	}
}
