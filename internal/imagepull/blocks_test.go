package imagepull_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Offsets of the fields of a tar header (POSIX.1-1988 ustar; GNU's own below).
const (
	fieldMode, fieldUID, fieldGID, fieldSize, fieldMTime = 100, 108, 116, 124, 136
	fieldLink, fieldMajor, fieldMinor, fieldPrefix       = 157, 329, 337, 345
)

// octal is a numeric field of n bytes.
func octal(v int64, n int) string { return fmt.Sprintf("%0*o\x00", n-1, v) }

// base256 is a numeric field of n bytes in GNU's binary form: the first bit
// set, the number in two's complement.
func base256(v int64, n int) string {
	fill := byte(0)
	if v < 0 {
		fill = 0xff
	}
	b := bytes.Repeat([]byte{fill}, n)
	binary.BigEndian.PutUint64(b[n-8:], uint64(v))
	b[0] |= 0x80
	return string(b)
}

// block is a header and the content it tells of, padded.
func block(name string, typeflag byte, fields map[int]string, content string) []byte {
	all := map[int]string{fieldSize: octal(int64(len(content)), 12)}
	for at, v := range fields {
		all[at] = v
	}
	return append(rawHeader(name, typeflag, all), pad(content)...)
}

// pad fills the last block of a content with zeros.
func pad(content string) []byte {
	return append([]byte(content), make([]byte, -len(content)&511)...)
}

// paxBlock is an extended header of records as they are.
func paxBlock(records string) []byte { return block("PaxHeaders/x", 'x', nil, records) }

// pax is a record with its length before it (POSIX.1-2001, pax Extended
// Header).
func pax(key, value string) string {
	rest := len(key) + len(value) + len(" =\n")
	n := rest + len(fmt.Sprint(rest))
	if m := rest + len(fmt.Sprint(n)); m != n {
		n = m
	}
	return fmt.Sprintf("%d %s=%s\n", n, key, value)
}

// gnuLong is the member that holds a long name ('L') or link target ('K').
func gnuLong(typeflag byte, name string) []byte {
	return block("././@LongLink", typeflag, map[int]string{257: "ustar  \x00"}, name)
}

// ended joins blocks and ends the archive.
func ended(blocks ...[]byte) []byte {
	return append(bytes.Join(blocks, nil), make([]byte, 1024)...)
}

// decoyed writes members so that the ustar header tells a lie and the
// extension before it the truth: a PAX header, or GNU's long names.
func decoyed(gnu bool, members []member) []byte {
	var blocks [][]byte
	for _, m := range members {
		var before []byte
		if gnu {
			before = gnuLong('L', m.Name+"\x00")
			if m.Linkname != "" {
				before = append(before, gnuLong('K', m.Linkname+"\x00")...)
			}
		} else {
			before = paxBlock(pax("path", m.Name) + linkRecord(m.Linkname))
		}
		decoy := "decoy"
		if strings.HasSuffix(m.Name, "/") {
			decoy += "/"
		}
		blocks = append(blocks, before, block(decoy, m.Typeflag, map[int]string{
			fieldMode: octal(m.Mode&0o7777777, 8), fieldUID: base256(int64(m.Uid), 8), fieldGID: base256(int64(m.Gid), 8),
			fieldMTime: octal(max(m.ModTime.Unix(), 0), 12), fieldLink: "decoy-target",
			fieldMajor: octal(m.Devmajor, 8), fieldMinor: octal(m.Devminor, 8),
		}, m.body))
	}
	return ended(blocks...)
}

func linkRecord(target string) string {
	if target == "" {
		return ""
	}
	return pax("linkpath", target)
}
