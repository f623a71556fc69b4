package model

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes untrusted text safe to show on a terminal: control, escape
// and bidirectional characters and invalid UTF-8 are written as \xNN or
// \u{NNNN}. Tabs stay.
func Printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			writeHex(&b, "\\x", uint32(s[i]), 2)
		case r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			writeHex(&b, "\\x", uint32(r), 2)
		default:
			writeHex(&b, "\\u{", uint32(r), 4)
			b.WriteByte('}')
		}
		i += n
	}
	return b.String()
}

func writeHex(b *strings.Builder, prefix string, v uint32, digits int) {
	const hexDigits = "0123456789abcdef"
	b.WriteString(prefix)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b.WriteByte(hexDigits[v>>shift&15])
	}
}
