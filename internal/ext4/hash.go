package ext4

import (
	"encoding/binary"
	"math/bits"
)

// nameHash is what an htree sorts a directory by.
type nameHash struct{ major, minor uint32 }

// halfMD4 is the unsigned half-MD4 hash of a name (fs/ext4/hash.c, DX_HASH_HALF_MD4_UNSIGNED).
func halfMD4(name string, seed [16]byte) nameHash {
	state := [4]uint32{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476}
	if seed != [16]byte{} {
		for i := range state {
			state[i] = binary.LittleEndian.Uint32(seed[4*i:])
		}
	}
	for len(name) > 0 {
		words := hashWords(name)
		halfMD4Transform(&state, &words)
		name = name[min(len(name), 32):]
	}
	major := state[1] &^ 1
	if major == 0xFFFFFFFE { // the kernel's end of directory
		major = 0xFFFFFFFC
	}
	return nameHash{major, state[2]}
}

// hashWords packs up to 32 bytes of name, big-endian, and pads with its length.
func hashWords(name string) (words [8]uint32) {
	pad := uint32(len(name)) | uint32(len(name))<<8
	pad |= pad << 16
	for i := range words {
		word := pad
		for j := 4 * i; j < min(4*i+4, len(name)); j++ {
			word = word<<8 + uint32(name[j])
		}
		words[i] = word
	}
	return words
}

// halfMD4Transform is the kernel's cut-down MD4: three rounds of eight steps.
func halfMD4Transform(state *[4]uint32, in *[8]uint32) {
	const k2, k3 = 0x5A827999, 0x6ED9EBA1
	a, b, c, d := state[0], state[1], state[2], state[3]
	for i := 0; i < 8; i += 4 {
		a = bits.RotateLeft32(a+(d^b&(c^d))+in[i], 3)
		d = bits.RotateLeft32(d+(c^a&(b^c))+in[i+1], 7)
		c = bits.RotateLeft32(c+(b^d&(a^b))+in[i+2], 11)
		b = bits.RotateLeft32(b+(a^c&(d^a))+in[i+3], 19)
	}
	for _, i := range [...]int{1, 0} {
		a = bits.RotateLeft32(a+(b&c+(b^c)&d)+in[i]+k2, 3)
		d = bits.RotateLeft32(d+(a&b+(a^b)&c)+in[i+2]+k2, 5)
		c = bits.RotateLeft32(c+(d&a+(d^a)&b)+in[i+4]+k2, 9)
		b = bits.RotateLeft32(b+(c&d+(c^d)&a)+in[i+6]+k2, 13)
	}
	for _, i := range [...]int{3, 1} {
		j := i - 1 // 2, 0
		a = bits.RotateLeft32(a+(b^c^d)+in[i]+k3, 3)
		d = bits.RotateLeft32(d+(a^b^c)+in[i+4]+k3, 9)
		c = bits.RotateLeft32(c+(d^a^b)+in[j]+k3, 11)
		b = bits.RotateLeft32(b+(c^d^a)+in[j+4]+k3, 15)
	}
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}
