package kerneltest

import (
	"encoding/binary"
)

// BzImage wraps a packed kernel in a setup header of boot protocol 2.15.
// release is what the header says; the payload gets no size trailer.
func BzImage(release string, payload []byte) []byte {
	const sectors, padding = 5, 32
	start := (sectors+1)*512 + padding
	image := make([]byte, start, start+len(payload)+16)
	le := binary.LittleEndian
	image[0x1f1] = sectors
	copy(image[0x202:], "HdrS")
	le.PutUint16(image[0x206:], 0x020f)
	le.PutUint16(image[0x20e:], 0x300)
	copy(image[0x500:], release+" (builder@host) #1 SMP\x00")
	le.PutUint32(image[0x248:], padding)
	le.PutUint32(image[0x24c:], uint32(len(payload)))
	return append(append(image, payload...), make([]byte, 16)...)
}

// WithSize appends the size trailer that all payloads but gzip's have.
func WithSize(payload []byte, plain int) []byte {
	return binary.LittleEndian.AppendUint32(payload, uint32(plain))
}
