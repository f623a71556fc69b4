package failpoint

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type key struct{}

// With returns a context whose places act as s says. A nil Set changes nothing.
func With(ctx context.Context, s *Set) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// Hit is one place. It returns nil unless a Set of the context has an action
// for name; then an injected error, or nil after a delay. It does not return
// when the action is kill.
func Hit(ctx context.Context, name string) error {
	s, _ := ctx.Value(key{}).(*Set)
	if s == nil {
		return nil
	}
	a := s.byName[name]
	if a == nil || !a.due() {
		return nil
	}
	return a.act(ctx, name)
}

func (a *action) act(ctx context.Context, name string) error {
	switch a.verb {
	case "kill":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {} // the signal is on its way: nothing more is done
	case "panic":
		panic("fail point " + name + ": " + a.text)
	case "delay":
		select {
		case <-time.After(a.wait):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("fail point %s: %s", name, a.text)
}
