package inflate

import "math/bits"

// A table maps the next bits of the stream, least significant first, to an
// entry. The first 1<<primary entries are indexed by that many bits; codes
// that are longer go on in a subtable. An entry of 32 bits:
//
//	bit  31     literal                                  (literal/length tables)
//	bits 30..16 base value: literal byte, length, distance, or subtable start
//	bit  15     exceptional: one of the two below, or invalid when neither
//	bit  14     subtable; bits 11..8 say by how many bits it is indexed
//	bit  13     end of block
//	bits 11..8  bits of the code itself, after those of the primary index
//	bits  7..0  all bits to take: code and extra bits
const (
	entryLiteral     = 1 << 31
	entryExceptional = 1 << 15
	entrySubtable    = 1 << 14
	entryEndOfBlock  = 1 << 13
)

const (
	maxCodeBits    = 15 // RFC 1951, 3.2.7
	litlenPrimary  = 11
	distPrimary    = 8
	maxLitlenCodes = 288
	maxDistCodes   = 32
	codeLenCodes   = 19
	codeLenPrimary = 7
	// Sizes for the worst complete code of that many symbols, as computed by
	// zlib's examples/enough.c (enough 288 11 15, enough 32 8 15), rounded up.
	litlenTableSize = 2432
	distTableSize   = 512
)

// lengthBase and lengthExtra describe length symbols 257..285, distBase and
// distExtra distance symbols 0..29 (RFC 1951, 3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// litlenValues, distValues and codeLenValues give the entry of each symbol
// without its code's length.
var (
	litlenValues  = makeLitlenValues()
	distValues    = makeDistValues()
	codeLenValues = makeCodeLenValues()
)

func makeLitlenValues() (v [maxLitlenCodes]uint32) {
	for i := range 256 {
		v[i] = entryLiteral | uint32(i)<<16
	}
	v[256] = entryExceptional | entryEndOfBlock
	for i := range lengthBase {
		v[257+i] = uint32(lengthBase[i])<<16 | uint32(lengthExtra[i])
	}
	v[286], v[287] = entryExceptional, entryExceptional // never used by a valid stream
	return v
}

func makeDistValues() (v [maxDistCodes]uint32) {
	for i := range distBase {
		v[i] = uint32(distBase[i])<<16 | uint32(distExtra[i])
	}
	v[30], v[31] = entryExceptional, entryExceptional
	return v
}

func makeCodeLenValues() (v [codeLenCodes]uint32) {
	for i := range v {
		v[i] = uint32(i) << 16
	}
	return v
}

// buildTable fills table for the canonical Huffman code with these code
// lengths (RFC 1951, 3.2.2). It says whether the lengths are a code: neither
// over-subscribed nor incomplete, but for no symbol at all and for one symbol
// of one bit.
func buildTable(table []uint32, lens []uint8, values []uint32, primary uint) bool {
	var count, offset [maxCodeBits + 1]uint16
	for _, n := range lens {
		count[n]++
	}
	count[0] = 0
	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	space := 0 // unused codes, in units of the longest code
	for n := uint(1); n <= maxCodeBits; n++ {
		space += int(count[n]) << (maxCodeBits - n)
		if n < maxCodeBits {
			offset[n+1] = offset[n] + count[n]
		}
	}
	complete := space == 1<<maxCodeBits
	if !complete {
		single := longest == 1 && count[1] == 1
		if longest != 0 && !single {
			return false
		}
		for i := range 1 << primary {
			table[i] = entryExceptional | 1
		}
	}
	var sorted [maxLitlenCodes]uint16
	for sym, n := range lens {
		if n != 0 {
			sorted[offset[n]] = uint16(sym)
			offset[n]++
		}
	}
	fillTable(table, &count, sorted[:], values, primary, longest)
	return true
}

// fillTable writes the entries of all symbols, shortest codes first.
func fillTable(table []uint32, count *[maxCodeBits + 1]uint16, sorted []uint16, values []uint32, primary, longest uint) {
	code, next := uint32(0), 0
	for n := uint(1); n <= min(longest, primary); n++ {
		for range count[n] {
			v := values[sorted[next]]
			next++
			e := v&^0xff | uint32(n)<<8 | (v&0xff + uint32(n))
			start := uint(bits.Reverse32(code) >> (32 - n))
			for i := start; i < 1<<primary; i += 1 << n {
				table[i] = e
			}
			code++
		}
		code <<= 1
	}
	fillSubtables(table, count, sorted[next:], values, code, primary, longest)
}

// fillSubtables writes the entries of codes that are longer than primary.
func fillSubtables(table []uint32, count *[maxCodeBits + 1]uint16, sorted []uint16, values []uint32, code uint32, primary, longest uint) {
	free := uint32(1) << primary
	prefix, subBits, subStart := ^uint32(0), uint(0), uint32(0)
	next := 0
	for n := primary + 1; n <= longest; n++ {
		for left := count[n]; left > 0; left-- {
			reversed := bits.Reverse32(code) >> (32 - n)
			if p := reversed & (1<<primary - 1); p != prefix {
				prefix, subStart = p, free
				subBits = subtableBits(count, uint32(left), n, primary)
				free += 1 << subBits
				table[p] = subStart<<16 | entryExceptional | entrySubtable | uint32(subBits)<<8 | uint32(primary)
			}
			v := values[sorted[next]]
			next++
			own := n - primary
			e := v&^0xff | uint32(own)<<8 | (v&0xff + uint32(own))
			for i := reversed >> primary; i < 1<<subBits; i += 1 << own {
				table[subStart+i] = e
			}
			code++
		}
		code <<= 1
	}
}

// subtableBits is by how many bits the subtable is indexed that begins with a
// code of n bits, when left codes of that length are still to come: as few as
// hold all codes with the same prefix.
func subtableBits(count *[maxCodeBits + 1]uint16, left uint32, n, primary uint) uint {
	own := n - primary
	used := left
	for used < 1<<own && primary+own < maxCodeBits {
		own++
		used = used<<1 + uint32(count[primary+own])
	}
	return own
}
