package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

type daemonAt struct {
	getenv     func(string) string
	uid        int
	executable func() (string, error)
}

func (d daemonAt) connect(context.Context) (rpc.API, error) {
	return nil, model.Errorf(model.CodeUnreachable, "no daemon")
}

func (d daemonAt) dial(context.Context) (rpc.API, error) {
	return nil, model.Errorf(model.CodeUnreachable, "no daemon")
}
