package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// TreeImage implements API.
func (c *Client) TreeImage(ctx context.Context, p ImageTreeParams, visit func(model.TreeEntry) error) error {
	return eachLine(ctx, c, "image.tree", p, visit)
}

// DiffImages implements API.
func (c *Client) DiffImages(ctx context.Context, p ImageDiffParams, visit func(model.TreeChange) error) error {
	return eachLine(ctx, c, "image.diff", p, visit)
}

// eachLine calls an operation that answers with many values and hands them to
// visit as they come.
func eachLine[V any](ctx context.Context, c *Client, verb string, params any, visit func(V) error) error {
	resp, err := c.post(ctx, verb, params, "application/jsonl")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
			break
		}
		line, err := readLine(lines)
		if err != nil {
			return broken(ctx, verb, err)
		}
		var value V
		if err := json.Unmarshal(line, &value); err != nil {
			return malformed(verb, err)
		}
		if err := visit(value); err != nil {
			return err
		}
	}
	if trailer := resp.Trailer.Get(protocol.ErrorTrailer); trailer != "" {
		return readError(verb, []byte(trailer))
	}
	return nil
}
