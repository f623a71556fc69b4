package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// daemonOf is the daemon of one user's environment.
type daemonOf struct {
	getenv func(string) string
	uid    int
}

// dial returns a client that starts no daemon; its calls are CodeUnreachable
// when none runs.
func (d daemonOf) dial(context.Context) (rpc.API, error) {
	paths, err := model.DefaultPaths(d.getenv, d.uid)
	if err != nil {
		return nil, err
	}
	return rpc.NewClient(paths.Socket()), nil
}
