package vmlinux_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"testing"

	"banger/internal/kernelcat/kerneltest"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

const release = "6.1.0-test"

// kernel is what testdata/kernel.bz2 and kernel.x86.xz were made from.
func kernel() []byte { return kerneltest.ELF(kerneltest.Kernel{Release: release, Pad: 4096}) }

// pack compresses plain as w does and adds the size trailer.
func pack[W interface {
	Write(p []byte) (int, error)
	Close() error
}](t *testing.T, plain []byte, open func(b *bytes.Buffer) (W, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return kerneltest.WithSize(b.Bytes(), len(plain))
}

func payloads(t *testing.T, plain []byte) map[string][]byte {
	t.Helper()
	gz := pack(t, plain, func(b *bytes.Buffer) (*gzip.Writer, error) { return gzip.NewWriter(b), nil })
	all := map[string][]byte{
		"none": plain,
		"gzip": gz[:len(gz)-4],
		"xz":   pack(t, plain, func(b *bytes.Buffer) (*xz.Writer, error) { return xz.NewWriter(b) }),
		"zstd": pack(t, plain, func(b *bytes.Buffer) (*zstd.Encoder, error) { return zstd.NewWriter(b) }),
		"lzma": pack(t, plain, func(b *bytes.Buffer) (*lzma.Writer, error) { return lzma.NewWriter(b) }),
		"lz4": pack(t, plain, func(b *bytes.Buffer) (*lz4.Writer, error) {
			w := lz4.NewWriter(b)
			return w, w.Apply(lz4.LegacyOption(true))
		}),
	}
	for name, file := range map[string]string{"bzip2": "kernel.bz2", "xz with branch filter": "kernel.x86.xz"} {
		data, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = kerneltest.WithSize(data, len(plain))
	}
	return all
}

func TestExtractReadsEveryCompression(t *testing.T) {
	t.Parallel()
	plain := kernel()
	for name, payload := range payloads(t, plain) {
		got, err := vmlinux.Extract(kerneltest.BzImage(release, payload))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(got, plain) {
			t.Errorf("%s: other bytes came out", name)
		}
	}
	if got, err := vmlinux.Extract(plain); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("an ELF file is not passed through: %v", err)
	}
}

func TestExtractRefuses(t *testing.T) {
	t.Parallel()
	good := kerneltest.BzImage(release, payloads(t, kernel())["zstd"])
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		image []byte
		code  model.Code
	}{
		"empty":               {nil, model.CodeInvalid},
		"text":                {bytes.Repeat([]byte("no kernel "), 200), model.CodeInvalid},
		"old boot protocol":   {change(func(b []byte) { le.PutUint16(b[0x206:], 0x0207) }), model.CodeUnsupported},
		"payload outside":     {change(func(b []byte) { le.PutUint32(b[0x248:], 1<<30) }), model.CodeIntegrity},
		"payload wraps":       {change(func(b []byte) { le.PutUint32(b[0x24c:], 0xffffffff) }), model.CodeIntegrity},
		"no payload":          {change(func(b []byte) { le.PutUint32(b[0x24c:], 0) }), model.CodeIntegrity},
		"truncated":           {good[:len(good)-40], model.CodeIntegrity},
		"damaged":             {change(func(b []byte) { b[len(b)-30] ^= 0xff }), model.CodeIntegrity},
		"unknown compression": {kerneltest.BzImage(release, []byte("what is this?")), model.CodeUnsupported},
		"lzo":                 {kerneltest.BzImage(release, []byte("\x89LZO\x00\r\n\x1a\n and so on")), model.CodeUnsupported},
		"not ELF inside": {kerneltest.BzImage(release, pack(t, []byte("text"),
			func(b *bytes.Buffer) (*zstd.Encoder, error) { return zstd.NewWriter(b) })), model.CodeIntegrity},
		"lzma dictionary of 4 GiB": {kerneltest.BzImage(release, []byte("\x5d\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffxxxxxxxx")), model.CodeIntegrity},
	} {
		_, err := vmlinux.Extract(c.image)
		if model.CodeOf(err) != c.code {
			t.Errorf("%s: got %q (%v), want %q", name, model.CodeOf(err), err, c.code)
		}
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kernel kerneltest.Kernel
		want   vmlinux.Info
	}{
		"x86":         {kerneltest.Kernel{Release: release}, vmlinux.Info{Arch: "amd64", Release: release, PVH: true}},
		"without PVH": {kerneltest.Kernel{Release: "6.8.0-60+b1~x", NoPVH: true}, vmlinux.Info{Arch: "amd64", Release: "6.8.0-60+b1~x"}},
		"ARM":         {kerneltest.Kernel{Release: release, Machine: elf.EM_AARCH64}, vmlinux.Info{Arch: "arm64", Release: release, PVH: true}},
	} {
		got, err := vmlinux.Inspect(kerneltest.ELF(c.kernel))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	plain := kernel()
	for name, image := range map[string][]byte{
		"text":                []byte("text"),
		"ELF header alone":    plain[:64],
		"for 32 bits":         kerneltest.ELF(kerneltest.Kernel{Release: release, Machine: elf.EM_386}),
		"no banner":           kerneltest.ELF(kerneltest.Kernel{Release: "custom"}),
		"banner of 100 bytes": kerneltest.ELF(kerneltest.Kernel{Release: "6" + string(bytes.Repeat([]byte("1"), 100))}),
		"module":              kerneltest.Module("virtio", release),
	} {
		if got, err := vmlinux.Inspect(image); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	image := kerneltest.BzImage("6.8.0-test", payloads(t, kernel())["lz4"])
	if got := vmlinux.Release(image); got != "6.8.0-test" {
		t.Errorf("of a bzImage: got %q", got)
	}
	if got := vmlinux.Release(kernel()); got != release {
		t.Errorf("of an ELF kernel: got %q", got)
	}
	binary.LittleEndian.PutUint16(image[0x20e:], 0xffff)
	if got := vmlinux.Release(image); got != "" {
		t.Errorf("of a damaged bzImage: got %q", got)
	}
}

// FuzzExtract: whatever the bytes, there is a kernel or an error with a code
// of its own.
func FuzzExtract(f *testing.F) {
	f.Add(kernel())
	f.Add(kerneltest.BzImage(release, kernel()))
	f.Add(kerneltest.BzImage(release, []byte("\x02\x21\x4c\x18\x04\x00\x00\x00abcd")))
	f.Add(kerneltest.BzImage(release, []byte("\xfd7zXZ\x00\x00\x01")))
	f.Fuzz(func(t *testing.T, image []byte) {
		_ = vmlinux.Release(image)
		plain, err := vmlinux.Extract(image)
		if err == nil {
			_, err = vmlinux.Inspect(plain)
		}
		if model.CodeOf(err) == model.CodeInternal {
			t.Errorf("error without a code: %v", err)
		}
	})
}
