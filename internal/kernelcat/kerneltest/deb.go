package kerneltest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
)

// File is one entry of a package; Type 0 is a regular file.
type File struct {
	Name string
	Body []byte
	Type byte
	Link string
}

// Tar returns an archive of the files in this order.
func Tar(files ...File) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Size: int64(len(f.Body)), Mode: 0o644, Typeflag: f.Type, Linkname: f.Link, Format: tar.FormatGNU}
		if f.Type == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := w.Write(f.Body); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Deb returns a package whose data member has this name and content.
func Deb(member string, data []byte) []byte {
	return Ar(File{Name: "debian-binary", Body: []byte("2.0\n")}, File{Name: "control.tar", Body: Tar()}, File{Name: member, Body: data})
}

// Ar returns an ar archive.
func Ar(members ...File) []byte {
	b := bytes.NewBufferString("!<arch>\n")
	for _, m := range members {
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.Name, 0, 0, 0, "100644", len(m.Body))
		b.Write(m.Body)
		if len(m.Body)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// KernelFiles are the files of a kernel package as Debian makes it: modules
// that need each other, and ext4 built in.
func KernelFiles(release string) []File {
	root := "./lib/modules/" + release + "/"
	kernel := root + "kernel/drivers/"
	files := []File{
		{Name: "./boot/", Type: tar.TypeDir},
		{Name: "./boot/vmlinuz-" + release, Body: BzImage(release, ELF(Kernel{Release: release}))},
		{Name: "./boot/config-" + release, Body: []byte("CONFIG_PVH=y\n")},
		{Name: "./boot/System.map-" + release, Body: []byte("none\n")},
		{Name: root + "modules.builtin", Body: []byte("kernel/fs/ext4/ext4.ko\nkernel/drivers/virtio/virtio_pci.ko\n")},
		{Name: root + "build", Type: tar.TypeSymlink, Link: "/usr/src/headers"},
	}
	for _, m := range [][]string{
		{"virtio/virtio_ring"}, {"virtio/virtio", "virtio_ring"}, {"virtio/virtio_mmio", "virtio", "virtio_ring"},
		{"block/virtio_blk", "virtio", "virtio_ring"}, {"char/virtio_console", "virtio", "virtio_ring"},
		{"net/failover"}, {"net/virtio_net", "failover", "virtio"}, {"misc/other"},
	} {
		files = append(files, File{Name: kernel + m[0] + ".ko", Body: Module(m[0], release, m[1:]...)})
	}
	return files
}

// Below returns the bodies of the regular files below prefix, by their names there.
func Below(files []File, prefix string) map[string][]byte {
	found := map[string][]byte{}
	for _, f := range files {
		if rest, ok := strings.CutPrefix(f.Name, prefix); ok && f.Type == 0 {
			found[rest] = f.Body
		}
	}
	return found
}
