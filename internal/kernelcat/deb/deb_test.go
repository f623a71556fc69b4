package deb_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"banger/internal/kernelcat/deb"
	"banger/internal/kernelcat/kerneltest"
	"banger/internal/model"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// collect returns all files of a package.
func collect(data []byte) (map[string]string, error) {
	got := map[string]string{}
	err := deb.Files(bytes.NewReader(data), func(f deb.File) error {
		body, err := io.ReadAll(f.Body)
		if int64(len(body)) != f.Size && err == nil {
			return fmt.Errorf("%s: %d bytes of %d", f.Name, len(body), f.Size)
		}
		got[f.Name] = string(body)
		return err
	})
	return got, err
}

func compress(t *testing.T, data []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFilesReadsEveryCompression(t *testing.T) {
	t.Parallel()
	data := kerneltest.Tar(
		kerneltest.File{Name: "./boot/", Type: tar.TypeDir},
		kerneltest.File{Name: "./boot/vmlinuz-6.1", Body: []byte("kernel")},
		kerneltest.File{Name: "usr/lib/modules/6.1/a.ko", Body: []byte("module")},
		kerneltest.File{Name: "./boot/initrd.img", Type: tar.TypeSymlink, Link: "/etc/shadow"},
		kerneltest.File{Name: "./boot/hard", Type: tar.TypeLink, Link: "../../etc/shadow"},
	)
	want := map[string]string{"boot/vmlinuz-6.1": "kernel", "usr/lib/modules/6.1/a.ko": "module"}
	for member, body := range map[string][]byte{
		"data.tar":     data,
		"data.tar/":    data,
		"data.tar.gz":  compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"data.tar.xz":  compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
		"data.tar.zst": compress(t, data, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	} {
		got, err := collect(kerneltest.Deb(member, body))
		if err != nil {
			t.Errorf("%s: %v", member, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", member, diff)
		}
	}
}

func TestFilesRefuses(t *testing.T) {
	t.Parallel()
	one := func(name string) []byte {
		return kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.File{Name: name, Body: []byte("x")}))
	}
	good := one("boot/vmlinuz-6.1")
	badSize := bytes.Clone(good)
	copy(badSize[8+48:], "-1        ")
	hugeSize := bytes.Clone(good)
	copy(hugeSize[8+48:], "9999999999")
	for name, data := range map[string][]byte{
		"empty":                {},
		"no ar archive":        []byte("PK\x03\x04 something else"),
		"no debian-binary":     kerneltest.Ar(kerneltest.File{Name: "data.tar", Body: kerneltest.Tar()}),
		"format 3":             kerneltest.Ar(kerneltest.File{Name: "debian-binary", Body: []byte("3.0\n")}),
		"no data member":       kerneltest.Ar(kerneltest.File{Name: "debian-binary", Body: []byte("2.0\n")}),
		"empty data member":    kerneltest.Deb("data.tar.xz", nil),
		"negative size":        badSize,
		"size beyond the end":  hugeSize,
		"truncated header":     good[:30],
		"truncated data":       good[:len(good)-2000],
		"name leads up":        one("../../etc/passwd"),
		"name leads up inside": one("./boot/../../etc/passwd"),
		"absolute name":        one("/etc/passwd"),
		"no tar inside":        kerneltest.Deb("data.tar.gz", []byte("\x1f\x8bnot gzip at all")),
	} {
		if got, err := collect(data); model.CodeOf(err) != model.CodeIntegrity {
			t.Errorf("%s: got %v, error %v of code %q", name, got, err, model.CodeOf(err))
		}
	}
}

// TestCallersErrorStaysItsOwn: only the package's faults are its own.
func TestCallersErrorStaysItsOwn(t *testing.T) {
	t.Parallel()
	own := errors.New("disk is full")
	data := kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.File{Name: "a", Body: []byte("x")}))
	if err := deb.Files(bytes.NewReader(data), func(deb.File) error { return own }); !errors.Is(err, own) || model.CodeOf(err) != model.CodeInternal {
		t.Errorf("got %v", err)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add(kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.File{Name: "./boot/vmlinuz-6.1", Body: []byte("kernel")})))
	f.Add(kerneltest.Deb("data.tar.zst", []byte("\x28\xb5\x2f\xfd\x00\x00\x01")))
	f.Add(kerneltest.Deb("data.tar.xz", []byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := collect(data); model.CodeOf(err) == model.CodeInternal {
			t.Errorf("error without a code: %v", err)
		}
	})
}
