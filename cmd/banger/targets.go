package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"banger/internal/rpc"
)

// atOnce is how many objects of one command line are worked on at a time.
const atOnce = 4

// each calls do for every name, a few at a time, whatever becomes of the
// others; bar shows their progress. Errors are told at the end, in the order of
// the names. The error returned
// carries the highest exit code.
func each[T any](ctx context.Context, a *app, bar progress, names []string, do func(context.Context, rpc.API, string) (T, error)) ([]T, error) {
	defer bar.finish()
	api, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	return workOn(ctx, a, api, bar, names, atOnce, do)
}

// workOn is each with a daemon that was connected to, limit names at a time.
func workOn[T any](ctx context.Context, a *app, api rpc.API, bar progress, names []string, limit int, do func(context.Context, rpc.API, string) (T, error)) ([]T, error) {
	values, errs := make([]T, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(limit)
	for i, name := range names {
		group.Go(func() error {
			values[i], errs[i] = do(ctx, api, name)
			return nil
		})
	}
	_ = group.Wait()
	bar.finish()
	var done []T
	for i, err := range errs {
		if err == nil {
			done = append(done, values[i])
		}
	}
	return done, a.complainOfAll(errs)
}

// complainOfAll tells the user of errs and returns the worst as exit code.
func (a *app) complainOfAll(errs []error) error {
	code := exitOK
	for _, err := range errs {
		if err != nil {
			a.complain(err, a.flags.json)
			code = max(code, exitOf(codeOf(err)))
		}
	}
	if code == exitOK {
		return nil
	}
	return &reported{code: code}
}

// showNames prints the objects that a command has worked on: their names, or
// a JSON array. It returns err, so that what went well is shown beside it.
func showNames[T any](a *app, items []T, name func(T) string, err error) error {
	if a.flags.json {
		if items == nil {
			items = []T{}
		}
		if failed := a.printJSON(items); failed != nil {
			return failed
		}
		return err
	}
	for _, item := range items {
		if failed := a.printName(name(item)); failed != nil {
			return failed
		}
	}
	return err
}
