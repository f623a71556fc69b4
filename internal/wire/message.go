package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// WriteMessage writes v as JSON behind its length, four bytes big-endian.
func WriteMessage(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a message: %w", err)
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("%w: a message has %d bytes, %d are allowed", ErrProtocol, len(body), MaxMessage)
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// ReadMessage reads a message of WriteMessage into v.
func ReadMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxMessage {
		return fmt.Errorf("%w: a message of %d bytes, %d are allowed", ErrProtocol, n, MaxMessage)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return noEOF(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // ReadFull returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}
