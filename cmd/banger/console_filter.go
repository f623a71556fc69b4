package main

import (
	"bytes"
	"io"
	"unicode/utf8"

	"banger/internal/model"
)

// consoleFilter passes a guest's console to a terminal. Text, line ends, tabs
// and colours (ECMA-48 SGR) pass; other escape sequences are dropped, since
// firmware clears the screen and a hostile guest does worse; other controls
// are printed as escapes.
type consoleFilter struct {
	w       io.Writer
	pending []byte // a sequence or character whose end has not come yet
}

// maxSequence is the longest escape sequence worth waiting for, in bytes.
const maxSequence = 64

// Write filters p. What it holds back comes with a later Write.
func (f *consoleFilter) Write(p []byte) (int, error) {
	data := append(f.pending, p...)
	f.pending = nil
	var out bytes.Buffer
	for len(data) > 0 {
		n := f.next(&out, data)
		if n == 0 {
			f.pending = bytes.Clone(data)
			break
		}
		data = data[n:]
	}
	_, err := f.w.Write(out.Bytes())
	return len(p), err
}

// next moves one piece of data to out and returns its length; 0 asks for more.
func (f *consoleFilter) next(out *bytes.Buffer, data []byte) int {
	switch c := data[0]; c {
	case 0x1b:
		return escapeSequence(out, data)
	case '\n', '\t', '\r':
		out.WriteByte(c)
		return 1
	default:
		return plainText(out, data)
	}
}

// plainText moves everything before the next control to out; a character that
// was cut at the end of data stays for later.
func plainText(out *bytes.Buffer, data []byte) int {
	end := bytes.IndexAny(data, "\x1b\n\t\r")
	if end < 0 {
		end = len(data) - cutRune(data)
	}
	out.WriteString(model.Printable(string(data[:end])))
	return end
}

// escapeSequence returns the length of the sequence at the start of data, and
// keeps it when it sets a colour.
func escapeSequence(out *bytes.Buffer, data []byte) int {
	switch {
	case len(data) == 1:
		return 0
	case data[1] == ']' || data[1] == 'P' || data[1] == '_' || data[1] == '^' || data[1] == 'X':
		return stringSequence(data)
	case data[1] != '[':
		return 2
	}
	for i := 2; i < len(data) && i < maxSequence; i++ {
		switch c := data[i]; {
		case c == 'm' && len(bytes.Trim(data[2:i], "0123456789;:")) == 0:
			out.Write(data[:i+1])
			return i + 1
		case c >= 0x40 && c <= 0x7e:
			return i + 1
		case c < 0x20 || c > 0x7e:
			return i
		}
	}
	return waitOrDrop(data)
}

// stringSequence is the length of an OSC, DCS, APC, PM or SOS sequence, which
// ends with BEL or ESC \ or, when it is broken, at a line end.
func stringSequence(data []byte) int {
	for i := 2; i < len(data); i++ {
		switch {
		case data[i] == 0x07:
			return i + 1
		case data[i] == '\n':
			return i
		case data[i] == 0x1b && i+1 < len(data) && data[i+1] == '\\':
			return i + 2
		case i >= 64*maxSequence:
			return i
		}
	}
	return 0
}

func waitOrDrop(data []byte) int {
	if len(data) >= maxSequence {
		return maxSequence
	}
	return 0
}

// cutRune is how many bytes at the end of data begin a character that is not
// whole.
func cutRune(data []byte) int {
	for n := 1; n <= min(len(data), utf8.UTFMax-1); n++ {
		last := data[len(data)-n:]
		if utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
