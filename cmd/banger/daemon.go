package main

import (
	"context"
	"fmt"

	"banger/internal/model"
	"banger/internal/rpc"
)

// daemonAt says where the daemon is.
type daemonAt struct {
	getenv func(string) string
	uid    int
	// met is told what the daemon is; nil: nobody wants to know.
	met func(model.VersionInfo)
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
	if d.met != nil {
		d.met(client.Met())
	}
	return client, nil
}

// tellOther says that the daemon is of another build than this program: it was
// started before an upgrade.
func (a *app) tellOther(daemon model.VersionInfo) {
	if a.flags.quiet || a.flags.json || daemon.Version == a.build.Version && daemon.Commit == a.build.Commit {
		return
	}
	fmt.Fprintln(a.stderr, note(fmt.Sprintf("the daemon is banger %s, this is %s; VMs go on when it is replaced: banger system shutdown", daemon.Version, a.build.Version)))
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
