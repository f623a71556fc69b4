package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"banger/internal/kernelcat/archive"
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
	err := archive.Files(bytes.NewReader(data), func(f archive.File) error {
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

func TestFilesReadsEveryKind(t *testing.T) {
	t.Parallel()
	files := []kerneltest.File{
		{Name: "./boot", Type: tar.TypeDir},
		{Name: "./boot/vmlinuz-virt", Body: []byte("kernel")},
		{Name: "./lib/modules/6.1/a.ko", Body: []byte("module")},
		{Name: "./lib/modules/6.1/build", Type: tar.TypeSymlink, Link: "/usr/src", Body: nil},
		{Name: "./lib/modules/6.1/empty"},
	}
	gz := func(b []byte) []byte {
		return compress(t, b, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	}
	zst := func(b []byte) []byte {
		return compress(t, b, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	}
	xzd := func(b []byte) []byte {
		return compress(t, b, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	}
	var apk []byte
	for _, part := range kerneltest.APK(files...) {
		apk = append(apk, gz(part)...)
	}
	want := map[string]string{"boot/vmlinuz-virt": "kernel", "lib/modules/6.1/a.ko": "module", "lib/modules/6.1/empty": ""}
	for name, data := range map[string][]byte{
		"tar": kerneltest.Tar(files...), "tar.zst": zst(kerneltest.Tar(files...)),
		"cpio": kerneltest.CPIO(files...), "rpm, plain": kerneltest.RPM(kerneltest.CPIO(files...)),
		"rpm, gzip": kerneltest.RPM(gz(kerneltest.CPIO(files...))),
		"rpm, xz":   kerneltest.RPM(xzd(kerneltest.CPIO(files...))),
		"rpm, zstd": kerneltest.RPM(zst(kerneltest.CPIO(files...))),
		"apk":       apk,
	} {
		got, err := collect(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(got, ".PKGINFO")
		delete(got, ".SIGN.RSA.key.rsa.pub")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestOtherProgramsPackages reads what cpio and rpmbuild themselves write.
func TestOtherProgramsPackages(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"cpio", "rpmbuild"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this host", program)
		}
	}
	dir := t.TempDir()
	spec := filepath.Join(dir, "kernel.spec")
	text := "Name: kernel-core\nVersion: 6.1\nRelease: 1\nSummary: test\nLicense: GPL\nBuildArch: noarch\n%description\ntest\n" +
		"%install\nmkdir -p %{buildroot}/lib/modules/6.1\necho kernel > %{buildroot}/lib/modules/6.1/vmlinuz\n" +
		"ln %{buildroot}/lib/modules/6.1/vmlinuz %{buildroot}/lib/modules/6.1/linked\n%files\n/lib/modules/6.1\n"
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{"w6.gzdio", "w6.xzdio", "w3.zstdio"} {
		cmd := exec.CommandContext(t.Context(), "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+dir, "--define", "_binary_payload "+payload, spec)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", payload, err, out)
		}
		data, err := os.ReadFile(filepath.Join(dir, "RPMS/noarch/kernel-core-6.1-1.noarch.rpm"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := collect(data)
		if err != nil || got["lib/modules/6.1/vmlinuz"]+got["lib/modules/6.1/linked"] != "kernel\n" {
			t.Errorf("%s: %q, %v", payload, got, err)
		}
	}
}

func TestFilesRefusesDamagedRPMs(t *testing.T) {
	t.Parallel()
	good := kerneltest.RPM(kerneltest.CPIO(kerneltest.File{Name: "./a", Body: []byte("some bytes")}))
	with := func(at int, b ...byte) []byte {
		bad := bytes.Clone(good)
		copy(bad[at:], b)
		return bad
	}
	payload := bytes.Index(good, []byte("070701"))
	for name, c := range map[string]struct {
		data []byte
		code model.Code
	}{
		"cut in the lead":       {good[:50], model.CodeIntegrity},
		"cut in the header":     {good[:130], model.CodeIntegrity},
		"cut in the payload":    {good[:len(good)-140], model.CodeIntegrity},
		"cut before the end":    {good[:len(good)-40], model.CodeIntegrity},
		"no header":             {with(96, 0), model.CodeIntegrity},
		"a huge header":         {with(96+8, 0xff, 0xff, 0xff, 0xff), model.CodeLimit},
		"huge header data":      {with(96+12, 0xff, 0xff, 0xff, 0xff), model.CodeLimit},
		"digits that are none":  {with(payload+6, 'x'), model.CodeIntegrity},
		"a name of 0 bytes":     {with(payload+94, []byte("00000000")...), model.CodeIntegrity},
		"a huge name":           {with(payload+94, []byte("ffffffff")...), model.CodeIntegrity},
		"a file beyond the end": {with(payload+54, []byte("ffffffff")...), model.CodeIntegrity},
		"name leads up":         {kerneltest.RPM(kerneltest.CPIO(kerneltest.File{Name: "../etc/passwd"})), model.CodeIntegrity},
		"absolute name":         {kerneltest.RPM(kerneltest.CPIO(kerneltest.File{Name: "/etc/passwd"})), model.CodeIntegrity},
	} {
		if got, err := collect(c.data); model.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, error %v of code %q", name, got, err, model.CodeOf(err))
		}
	}
	for name, data := range map[string][]byte{"empty": {}, "no archive": []byte("PK\x03\x04 something else")} {
		if _, err := collect(data); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCallersErrorStaysItsOwn: only the package's faults are its own.
func TestCallersErrorStaysItsOwn(t *testing.T) {
	t.Parallel()
	own := errors.New("disk is full")
	data := kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.File{Name: "a", Body: []byte("x")}))
	if err := archive.Files(bytes.NewReader(data), func(archive.File) error { return own }); !errors.Is(err, own) || model.CodeOf(err) != model.CodeInternal {
		t.Errorf("got %v", err)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add(kerneltest.Deb("data.tar", kerneltest.Tar(kerneltest.File{Name: "./boot/vmlinuz-6.1", Body: []byte("kernel")})))
	f.Add(kerneltest.Deb("data.tar.zst", []byte("\x28\xb5\x2f\xfd\x00\x00\x01")))
	f.Add(kerneltest.Deb("data.tar.xz", []byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36")))
	f.Add(kerneltest.RPM(kerneltest.CPIO(kerneltest.File{Name: "./boot/vmlinuz", Body: []byte("kernel")})))
	f.Add(kerneltest.Tar(kerneltest.File{Name: "vmlinux", Body: []byte("kernel")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := collect(data); model.CodeOf(err) == model.CodeInternal {
			t.Errorf("error without a code: %v", err)
		}
	})
}
