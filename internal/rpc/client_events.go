package rpc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// follow calls a long operation, reports its progress and returns its result.
func follow[R any](ctx context.Context, c *Client, verb string, params any, report model.Report) (R, error) {
	var result R
	resp, err := c.post(ctx, verb, params, protocol.EventStream)
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	events := bufio.NewReader(resp.Body)
	for {
		event, data, err := readEvent(events)
		if err != nil {
			return result, broken(ctx, verb, err)
		}
		switch event {
		case protocol.EventProgress:
			var p model.Progress
			if err := json.Unmarshal(data, &p); err != nil {
				return result, malformed(verb, err)
			}
			report(p)
		case protocol.EventError:
			return result, readError(verb, data)
		case protocol.EventResult:
			if err := json.Unmarshal(data, &result); err != nil {
				return result, malformed(verb, err)
			}
			return result, nil
		}
	}
}

// readEvent reads one event of the form that eventWriter writes. Lines of
// other kinds are skipped, as the format wants it.
func readEvent(r *bufio.Reader) (event string, data []byte, err error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return "", nil, err
		}
		name, value, _ := strings.Cut(string(line), ": ")
		switch {
		case len(line) == 0 && event != "":
			return event, data, nil
		case name == "event":
			event = value
		case name == "data":
			data = []byte(value)
		}
	}
}

// readLine returns a line without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > protocol.MaxAnswer:
			return nil, model.Errorf(model.CodeLimit, "an event is longer than %d bytes", protocol.MaxAnswer)
		}
	}
}

// readError is the error that the daemon has sent.
func readError(verb string, data []byte) error {
	told := &model.Error{}
	if err := json.Unmarshal(data, told); err != nil {
		return malformed(verb, err)
	}
	return told
}

func malformed(verb string, err error) error {
	return model.Errorf(model.CodeInternal, "reading the answer to %s: %w", verb, err)
}
