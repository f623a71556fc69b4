package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrViolation is in the chain of every error that a peer caused by breaking
// the protocol. The link is not to be used any more.
var ErrViolation = errors.New("protocol violation")

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrViolation}, args...)...)
}

// WriteMessage writes v as JSON behind its length, a big-endian u32. A message
// over MaxMessage is an error and nothing is written.
func WriteMessage(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("message of %d bytes is over the limit of %d", len(body), MaxMessage)
	}
	msg := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	for piece := range slices.Chunk(append(msg, body...), MaxPayload) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// ReadMessage reads what WriteMessage wrote into v. Messages that are too
// long, are not JSON, or have fields that v lacks are ErrViolation.
func ReadMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxMessage {
		return violation("message of %d bytes is over the limit of %d", n, MaxMessage)
	}
	// Grown as bytes arrive: a length alone must not cost memory.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(body) < int(n) {
		return io.ErrUnexpectedEOF
	}
	return decode(body, v)
}

// decode is strict: one value, no unknown fields, nothing behind it.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return violation("decoding a message: %v", err)
	}
	if d.InputOffset() != int64(len(body)) {
		return violation("%d bytes behind a message", int64(len(body))-d.InputOffset())
	}
	return nil
}
