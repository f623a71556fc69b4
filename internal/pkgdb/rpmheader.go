package pkgdb

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"banger/internal/model"
)

// Tags and types of a package's header (RPM reference, "Header format" and
// "Package tags").
const (
	tagName    = 1000
	tagVersion = 1001
	tagRelease = 1002
	tagEpoch   = 1003
	tagArch    = 1022

	typeInt32  = 4
	typeString = 6
)

// Bounds of a header, which are those of rpm itself (rpm's lib/header.c).
const (
	maxRPMTags   = 0xffff
	rpmEntrySize = 16 // tag, type, offset and count, 4 bytes each
)

// rpmHeader is a header as the database keeps it: the number of entries, the
// length of the data, the entries, the data. Numbers are big-endian.
type rpmHeader struct {
	entries []byte
	data    []byte
}

// parseRPMHeader finds the parts of a header.
func parseRPMHeader(blob []byte) (rpmHeader, error) {
	if len(blob) < 8 {
		return rpmHeader{}, fmt.Errorf("a header of %d bytes", len(blob))
	}
	entries, data := int64(binary.BigEndian.Uint32(blob)), int64(binary.BigEndian.Uint32(blob[4:]))
	if entries > maxRPMTags || 8+entries*rpmEntrySize+data > int64(len(blob)) {
		return rpmHeader{}, fmt.Errorf("a header of %d bytes says that it has %d entries and %d bytes of data", len(blob), entries, data)
	}
	start := 8 + entries*rpmEntrySize
	return rpmHeader{entries: blob[8:start], data: blob[start : start+data]}, nil
}

// find returns the data of the first entry of a tag and a type, from its
// offset to the end; nil when there is none.
func (h rpmHeader) find(tag, kind uint32) []byte {
	for e := h.entries; len(e) >= rpmEntrySize; e = e[rpmEntrySize:] {
		offset := binary.BigEndian.Uint32(e[8:])
		if binary.BigEndian.Uint32(e) == tag && binary.BigEndian.Uint32(e[4:]) == kind && int64(offset) < int64(len(h.data)) {
			return h.data[offset:]
		}
	}
	return nil
}

// text returns a string, which ends in a zero byte; "" when there is none.
func (h rpmHeader) text(tag uint32) string {
	data := h.find(tag, typeString)
	end := bytes.IndexByte(data[:min(len(data), maxField+1)], 0)
	if end < 0 {
		end = min(len(data), maxField)
	}
	return field(string(data[:end]))
}

// version is what rpm compares: [EPOCH:]VERSION-RELEASE.
func (h rpmHeader) version() string {
	v := h.text(tagVersion)
	if release := h.text(tagRelease); release != "" {
		v += "-" + release
	}
	if epoch := h.find(tagEpoch, typeInt32); len(epoch) >= 4 {
		v = fmt.Sprintf("%d:%s", binary.BigEndian.Uint32(epoch), v)
	}
	return field(v)
}

// parseRPM reads the header of an installed package.
func parseRPM(blob []byte) (model.Package, error) {
	h, err := parseRPMHeader(blob)
	if err != nil {
		return model.Package{}, err
	}
	p := model.Package{Name: h.text(tagName), Version: h.version(), Arch: h.text(tagArch), Manager: "rpm"}
	if p.Name == "" {
		return p, fmt.Errorf("a package without a name")
	}
	return p, nil
}
