package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// FrameType says what a frame of an exec stream carries.
type FrameType byte

// The frame types. Host to guest: stdin, stdin-close, resize, signal. Guest
// to host: started, stdin-ack, stdout, stderr, exit.
//
// Input has a window of its own, StdinWindow: a process that does not read
// must not keep a signal from getting through behind its input.
const (
	FrameStdin      FrameType = 1
	FrameStdinClose FrameType = 2
	FrameStdout     FrameType = 3
	FrameStderr     FrameType = 4
	FrameResize     FrameType = 5 // JSON model.WinSize
	FrameSignal     FrameType = 6 // a signal's name without SIG
	FrameExit       FrameType = 7 // JSON model.ExitStatus; the last frame
	FrameStarted    FrameType = 8 // the process runs; empty
	FrameStdinAck   FrameType = 9 // four bytes big-endian: that much input was taken
)

const frameHead = 5 // type, then the payload's length, big-endian

// FrameWriter writes whole frames from any goroutine.
type FrameWriter struct {
	mu sync.Mutex
	w  io.Writer
	b  []byte
}

// NewFrameWriter returns a FrameWriter on w.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Write writes one frame, or as many as a long payload needs.
func (f *FrameWriter) Write(t FrameType, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		part := payload[:min(len(payload), MaxFrame)]
		f.b = append(binary.BigEndian.AppendUint32(append(f.b[:0], byte(t)), uint32(len(part))), part...)
		if _, err := f.w.Write(f.b); err != nil {
			return err
		}
		if payload = payload[len(part):]; len(payload) == 0 {
			return nil
		}
	}
}

// WriteJSON writes one frame that carries v.
func (f *FrameWriter) WriteJSON(t FrameType, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	return f.Write(t, body)
}

// Stream returns a writer whose bytes become frames of type t.
func (f *FrameWriter) Stream(t FrameType) io.Writer { return frameStream{f, t} }

type frameStream struct {
	f *FrameWriter
	t FrameType
}

func (s frameStream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.f.Write(s.t, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// FrameReader reads frames.
type FrameReader struct {
	r io.Reader
	b []byte
}

// NewFrameReader returns a FrameReader on r, which should be buffered.
func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{r: r} }

// Next returns the next frame; its payload is valid until the next call.
// io.EOF only between frames.
func (f *FrameReader) Next() (FrameType, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes, %d are allowed", ErrProtocol, n, MaxFrame)
	}
	if cap(f.b) < int(n) {
		f.b = make([]byte, max(int(n), 4096))
	}
	f.b = f.b[:n]
	if _, err := io.ReadFull(f.r, f.b); err != nil {
		return 0, nil, noEOF(err)
	}
	return FrameType(head[0]), f.b, nil
}

// DecodeFrame decodes the JSON of a frame's payload.
func DecodeFrame(payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}
