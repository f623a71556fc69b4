package archive

import (
	"encoding/binary"
	"io"

	"banger/internal/model"
)

// Parts of an RPM package, version 3 and 4 (RPM's docs/manual/format_v4.md):
// a lead, a signature header padded to 8 bytes, a header, and the payload, a
// compressed cpio archive.
const (
	rpmMagic       = "\xed\xab\xee\xdb"
	rpmLead        = 96
	rpmHeaderMagic = "\x8e\xad\xe8\x01"
	rpmIntro       = 16 // magic, reserved, number of entries, bytes of data
	rpmIndexEntry  = 16
	rpmAlign       = 8

	maxRPMEntries = 1 << 16
	maxRPMData    = 256 << 20
)

func isRPM(head []byte) bool { return hasMagic(head, rpmMagic) }

// openRPM skips to the payload and returns its plain bytes. What the headers
// say is not needed: names, sizes and modes are in the payload too.
func openRPM(r io.Reader) (io.ReadCloser, error) {
	if _, err := io.CopyN(io.Discard, r, rpmLead); err != nil {
		return nil, damaged(unexpected(err))
	}
	size, err := skipRPMHeader(r)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, (rpmAlign-size%rpmAlign)%rpmAlign); err != nil {
		return nil, damaged(unexpected(err))
	}
	if _, err := skipRPMHeader(r); err != nil {
		return nil, err
	}
	return plain(r)
}

// skipRPMHeader passes over one header and returns how many bytes it had.
func skipRPMHeader(r io.Reader) (int64, error) {
	intro := make([]byte, rpmIntro)
	if _, err := io.ReadFull(r, intro); err != nil {
		return 0, damaged(unexpected(err))
	}
	if !hasMagic(intro, rpmHeaderMagic) {
		return 0, model.Errorf(model.CodeIntegrity, "damaged package: no RPM header where one has to be")
	}
	entries := int64(binary.BigEndian.Uint32(intro[8:]))
	data := int64(binary.BigEndian.Uint32(intro[12:]))
	if entries > maxRPMEntries || data > maxRPMData {
		return 0, model.Errorf(model.CodeLimit, "an RPM header of %d entries and %d bytes: at most %d and %d are allowed", entries, data, maxRPMEntries, maxRPMData)
	}
	rest := entries*rpmIndexEntry + data
	if _, err := io.CopyN(io.Discard, r, rest); err != nil {
		return 0, damaged(unexpected(err))
	}
	return rpmIntro + rest, nil
}
