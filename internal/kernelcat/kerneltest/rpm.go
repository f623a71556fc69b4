package kerneltest

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
)

// CPIO returns a "new ASCII" archive of the files in this order.
func CPIO(files ...File) []byte {
	var b bytes.Buffer
	for i, f := range append(files, File{Name: "TRAILER!!!"}) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			i, cpioMode(f), 0, 0, 1, 0, len(f.Body), 0, 0, 0, 0, len(f.Name)+1, 0, f.Name)
		pad(&b)
		b.Write(f.Body)
		pad(&b)
	}
	return b.Bytes()
}

func cpioMode(f File) int {
	switch f.Type {
	case tar.TypeDir:
		return 0o040755
	case tar.TypeSymlink:
		return 0o120777
	default:
		return 0o100644
	}
}

func pad(b *bytes.Buffer) { b.Write(make([]byte, -b.Len()&3)) }

// RPM returns a package with this payload.
func RPM(payload []byte) []byte {
	b := bytes.NewBufferString("\xed\xab\xee\xdb\x03\x00")
	b.Write(make([]byte, 96-b.Len()))
	rpmHeader(b, []byte("signed"))
	b.Write(make([]byte, -b.Len()&7))
	rpmHeader(b, []byte("a header's data"))
	b.Write(payload)
	return b.Bytes()
}

// rpmHeader appends a header of one entry.
func rpmHeader(b *bytes.Buffer, data []byte) {
	b.WriteString("\x8e\xad\xe8\x01\x00\x00\x00\x00")
	for _, n := range []uint32{1, uint32(len(data)), 1000, 6, 0, 1} {
		_ = binary.Write(b, binary.BigEndian, n) // a buffer takes all
	}
	b.Write(data)
}

// APK returns the three tar archives of an Alpine package, each to be
// compressed by itself: signature and control data without tar's end.
func APK(files ...File) [3][]byte {
	unended := func(f File) []byte {
		t := Tar(f)
		return t[:len(t)-1024]
	}
	return [3][]byte{
		unended(File{Name: ".SIGN.RSA.key.rsa.pub", Body: []byte("signature")}),
		unended(File{Name: ".PKGINFO", Body: []byte("pkgname = linux-virt\n")}),
		Tar(files...),
	}
}
