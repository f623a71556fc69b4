package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// daemonAt says where the daemon is.
type daemonAt struct {
	getenv func(string) string
	uid    int
}

// connect reaches the daemon and starts it when none runs.
func (d daemonAt) connect(ctx context.Context) (rpc.API, error) {
	paths, err := model.DefaultPaths(d.getenv, d.uid)
	if err != nil {
		return nil, err
	}
	client, err := rpc.Ensure(ctx, paths, "")
	if err != nil {
		return nil, err
	}
	return client, nil
}

// reach is connect for calls with standard input and output, without its
// question whether the daemon answers: the call itself is that.
func (d daemonAt) reach(context.Context) (rpc.API, error) {
	paths, err := model.DefaultPaths(d.getenv, d.uid)
	if err != nil {
		return nil, err
	}
	return rpc.Reach(paths, ""), nil
}

// dial returns a client that starts no daemon; its calls are CodeUnreachable
// when none runs.
func (d daemonAt) dial(context.Context) (rpc.API, error) {
	paths, err := model.DefaultPaths(d.getenv, d.uid)
	if err != nil {
		return nil, err
	}
	return rpc.NewClient(paths.Socket()), nil
}
