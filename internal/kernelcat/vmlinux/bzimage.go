package vmlinux

import (
	"bytes"
	"encoding/binary"

	"banger/internal/kernelcat/decompress"
	"banger/internal/model"
)

// MaxImage is the largest kernel in bytes, packed or unpacked. A distribution's
// has some 15 MB packed and 60 MB unpacked; debug information is not needed.
const MaxImage = 512 << 20

// Offsets in a bzImage's setup header; all values are little-endian.
const (
	offSetupSects    = 0x1f1 // uint8: 512-byte sectors of real-mode code; 0 means 4
	offMagic         = 0x202 // "HdrS"
	offVersion       = 0x206 // uint16: boot protocol
	offVersionText   = 0x20e // uint16: release and builder, from offset 0x200
	offPayload       = 0x248 // uint32: from the protected-mode code's start
	offPayloadLength = 0x24c // uint32
	headerEnd        = 0x250

	sectorSize      = 512
	minBootProtocol = 0x0208 // first with a payload in the header: Linux 2.6.26
	sizeTrailer     = 4      // plain size after each payload but gzip's
)

// Extract returns the ELF kernel in image, a bzImage or an ELF file; the
// latter is returned as it is. What is neither is CodeInvalid, a bzImage that
// contradicts itself CodeIntegrity, one packed with LZO or older than boot
// protocol 2.08 CodeUnsupported.
func Extract(image []byte) ([]byte, error) {
	if len(image) > MaxImage {
		return nil, model.Errorf(model.CodeLimit, "the kernel has %d bytes: at most %d are allowed", len(image), MaxImage).
			WithHint("strip its debug information: strip --strip-debug")
	}
	if isELF(image) {
		return image, nil
	}
	payload, err := bzImagePayload(image)
	if err != nil {
		return nil, err
	}
	if isELF(payload) {
		return payload, nil
	}
	return unpack(payload)
}

// IsBzImage tells whether image starts with a bzImage's setup header.
func IsBzImage(image []byte) bool {
	return len(image) >= headerEnd && string(image[offMagic:offMagic+4]) == "HdrS"
}

func isELF(b []byte) bool { return bytes.HasPrefix(b, []byte("\x7fELF")) }

// bzImagePayload returns the packed kernel inside of a bzImage.
func bzImagePayload(image []byte) ([]byte, error) {
	if !IsBzImage(image) {
		return nil, model.Errorf(model.CodeInvalid, "this is no kernel: neither an ELF file nor a bzImage")
	}
	if v := binary.LittleEndian.Uint16(image[offVersion:]); v < minBootProtocol {
		return nil, model.Errorf(model.CodeUnsupported, "bzImage of boot protocol %d.%02d: 2.08 or newer is needed", v>>8, v&0xff)
	}
	setup := int64(image[offSetupSects])
	if setup == 0 {
		setup = 4
	}
	start := (setup+1)*sectorSize + int64(binary.LittleEndian.Uint32(image[offPayload:]))
	length := int64(binary.LittleEndian.Uint32(image[offPayloadLength:]))
	if length == 0 || start+length > int64(len(image)) {
		return nil, model.Errorf(model.CodeIntegrity, "damaged bzImage: its payload of %d bytes at %d is outside of its %d bytes", length, start, len(image))
	}
	return image[start : start+length], nil
}

// unpack undoes the payload's compression.
func unpack(payload []byte) ([]byte, error) {
	format := decompress.Detect(payload)
	switch format {
	case "":
		return nil, model.Errorf(model.CodeUnsupported, "the kernel is packed in a way that is not known")
	case decompress.LZO:
		return nil, model.Errorf(model.CodeUnsupported, "the kernel is packed with lzo, which cannot be read").
			WithHint("give the uncompressed vmlinux of the same kernel")
	case decompress.Gzip:
	default:
		payload = payload[:max(0, len(payload)-sizeTrailer)]
	}
	elf, err := decompress.All(format, payload, MaxImage)
	if err != nil {
		return nil, model.Errorf(model.CodeIntegrity, "unpacking the %s kernel: %w", format, err)
	}
	if !isELF(elf) {
		return nil, model.Errorf(model.CodeIntegrity, "what the bzImage unpacks to is no ELF file")
	}
	return elf, nil
}
