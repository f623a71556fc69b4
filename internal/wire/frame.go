package wire

import (
	"encoding/binary"
	"encoding/json"
	"io"

	"banger/internal/model"
)

// FrameType says what a frame of an exec stream carries. A frame is its type
// (one byte), the length of its payload (big-endian u32) and the payload.
type FrameType uint8

// The frames. After FrameExit or FrameError the agent closes the stream.
const (
	FrameStdin      FrameType = 1 + iota // host: bytes for standard input, within StdinWindow
	FrameStdinClose                      // host: standard input ends; empty
	FrameResize                          // host: rows, columns; two big-endian u16
	FrameSignal                          // host: a signal's name for the process group
	FrameStdout                          // agent: bytes of standard output or of the terminal
	FrameStderr                          // agent: bytes of standard error
	FrameCredit                          // agent: bytes of standard input taken; big-endian u32
	FrameExit                            // agent: model.ExitStatus as JSON
	FrameError                           // agent: Fault as JSON; nothing ran
)

// Direction is the side that a frame comes from.
type Direction uint8

// The directions.
const (
	FromHost Direction = iota
	FromAgent
)

// MaxSignal is the longest name of a signal, in bytes.
const MaxSignal = 16

const frameHeader = 5

// bounds returns the least and the most bytes that a frame of type t from d
// may carry; ok is false when d never sends such frames.
func bounds(d Direction, t FrameType) (least, most uint32, ok bool) {
	if (d == FromHost) != (t <= FrameSignal) {
		return 0, 0, false
	}
	switch t {
	case FrameStdin, FrameStdout, FrameStderr:
		return 1, MaxPayload, true
	case FrameStdinClose:
		return 0, 0, true
	case FrameResize, FrameCredit:
		return 4, 4, true
	case FrameSignal:
		return 1, MaxSignal, true
	case FrameExit, FrameError:
		return 2, MaxReport, true
	default:
		return 0, 0, false
	}
}

// FrameReader reads the frames of one direction.
type FrameReader struct {
	r    io.Reader
	from Direction
	buf  []byte
}

// NewFrameReader returns a reader of the frames that from sends on r.
func NewFrameReader(r io.Reader, from Direction) *FrameReader {
	return &FrameReader{r: r, from: from}
}

// Next returns the next frame. The payload is valid until the next call. The
// error is io.EOF at the end between frames, and ErrViolation for a frame
// that this direction may not send.
func (f *FrameReader) Next() (FrameType, []byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	t, n := FrameType(head[0]), binary.BigEndian.Uint32(head[1:])
	least, most, ok := bounds(f.from, t)
	if !ok || n < least || n > most {
		return 0, nil, violation("frame of type %d with %d bytes", t, n)
	}
	if int(n) > cap(f.buf) {
		f.buf = make([]byte, max(n, 512))
	}
	payload := f.buf[:n]
	if _, err := io.ReadFull(f.r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return t, payload, nil
}

// FrameBuffer is one outgoing frame. Payloads are read straight into it and
// go out in one Write, so that frames of several writers never mix.
type FrameBuffer struct{ b []byte }

// room is what a FrameBuffer holds: whole pages, since a pipe gets slow when
// less of a page is read, and with all headers no more than two of the buffers
// of 32 KiB that a guest's port driver has.
const room = 60 << 10

// NewFrameBuffer returns a buffer for one frame of output or input.
func NewFrameBuffer() *FrameBuffer { return &FrameBuffer{b: make([]byte, frameHeader+room)} }

// Room is where the payload is put.
func (b *FrameBuffer) Room() []byte { return b.b[frameHeader:] }

// Frame returns the frame whose payload is the first n bytes of Room.
func (b *FrameBuffer) Frame(t FrameType, n int) []byte {
	putHeader(b.b, t, n)
	return b.b[:frameHeader+n]
}

// Frame returns a frame with a small payload.
func Frame(t FrameType, payload []byte) []byte {
	b := make([]byte, frameHeader, frameHeader+len(payload))
	putHeader(b, t, len(payload))
	return append(b, payload...)
}

func putHeader(b []byte, t FrameType, n int) {
	b[0] = byte(t)
	binary.BigEndian.PutUint32(b[1:], uint32(n))
}

// ResizeFrame tells the size of the host's terminal.
func ResizeFrame(s model.WinSize) []byte {
	p := binary.BigEndian.AppendUint16(nil, s.Rows)
	return Frame(FrameResize, binary.BigEndian.AppendUint16(p, s.Cols))
}

// ParseResize reads the payload of a FrameResize.
func ParseResize(p []byte) model.WinSize {
	return model.WinSize{Rows: binary.BigEndian.Uint16(p), Cols: binary.BigEndian.Uint16(p[2:])}
}

// CreditFrame tells that the process has taken n bytes of standard input.
func CreditFrame(n int) []byte {
	return Frame(FrameCredit, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// ParseCredit reads the payload of a FrameCredit; more than StdinWindow is
// ErrViolation.
func ParseCredit(p []byte) (int, error) {
	n := binary.BigEndian.Uint32(p)
	if n > StdinWindow {
		return 0, violation("credit of %d bytes", n)
	}
	return int(n), nil
}

// SignalFrame asks for a signal by name, with or without SIG. The name has 1
// to MaxSignal bytes.
func SignalFrame(name string) []byte { return Frame(FrameSignal, []byte(name)) }

// ExitFrame tells how the process ended.
func ExitFrame(s model.ExitStatus) []byte {
	s.Err = clip(s.Err)
	return jsonFrame(FrameExit, s)
}

// ParseExit reads the payload of a FrameExit. Texts are made printable.
func ParseExit(p []byte) (model.ExitStatus, error) {
	var s model.ExitStatus
	if err := decode(p, &s); err != nil {
		return s, err
	}
	if s.Code < 0 || s.Code > 255 || len(s.Signal) > MaxSignal {
		return model.ExitStatus{}, violation("exit status %d, signal of %d bytes", s.Code, len(s.Signal))
	}
	s.Signal, s.Err = model.Printable(s.Signal), model.Printable(s.Err)
	return s, nil
}

// ErrorFrame tells why nothing ran.
func ErrorFrame(err error) []byte { return jsonFrame(FrameError, NewFault(err)) }

// ParseError reads the payload of a FrameError.
func ParseError(p []byte) (*Fault, error) {
	var f Fault
	if err := decode(p, &f); err != nil {
		return nil, err
	}
	return &f, nil
}

func jsonFrame(t FrameType, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil || len(b) > MaxReport {
		b = []byte(`{}`) // cannot be: plain structs with clipped texts
	}
	return Frame(t, b)
}
