package vm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/wire"
)

// errLate: the guest has not answered by the deadline.
var errLate = errors.New("the guest has not answered in time")

// bringUp waits for the agent and makes the guest this VM; then it leaves the
// place to boot in.
func (s *Service) bringUp(ctx context.Context, vm model.VM, l *live, cfg wire.Config, limit time.Duration, leave func()) (model.VM, error) {
	began := s.cfg.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	go func() { // a process that has ended will never answer
		select {
		case <-l.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := failpoint.Hit(ctx, "vm.start/recorded"); err != nil {
		return vm, err
	}
	agent, err := l.agent(ctx)
	if err != nil {
		return vm, whyNot(ctx, l, err)
	}
	if err := failpoint.Hit(ctx, "vm.start/dialed"); err != nil {
		return vm, err
	}
	hello, err := agent.Hello(ctx)
	if err != nil {
		return vm, whyNot(ctx, l, err)
	}
	took := s.cfg.Now().Sub(began)
	if err := failpoint.Hit(ctx, "vm.start/answered"); err != nil {
		return vm, err
	}
	cfg.Time = s.cfg.Now().UnixNano()
	cfg.Entropy = make([]byte, 64)
	_, _ = rand.Read(cfg.Entropy)
	if err := agent.Configure(ctx, cfg); err != nil {
		return vm, whyNot(ctx, l, fmt.Errorf("configuring the guest: %w", err))
	}
	if err := failpoint.Hit(ctx, "vm.start/configured"); err != nil {
		return vm, err
	}
	if err := s.hooks.ready(ctx, vm, agent); err != nil {
		return vm, whyNot(ctx, l, err)
	}
	if err := failpoint.Hit(ctx, "vm.start/hooked"); err != nil {
		return vm, err
	}
	l.setUp()
	leave()
	return s.cfg.Store.UpdateVM(ctx, vm.ID, func(vm *model.VM) error {
		vm.State, vm.StartedAt = model.VMRunning, s.cfg.Now()
		vm.Runtime.BootMillis = took.Milliseconds()
		vm.Runtime.Guest = model.GuestFacts{AgentVersion: hello.AgentVersion, Kernel: hello.Kernel}
		return nil
	})
}

// errEnded: the VM's process ended while it was waited for.
var errEnded = errors.New("its process ended")

// whyNot tells a guest that ended from one that is late and from a caller
// that has gone. The wire may break a moment before the end is seen.
func whyNot(ctx context.Context, l *live, err error) error {
	switch {
	case l.isGone():
		return errEnded
	case errors.Is(context.Cause(ctx), errLate):
		return errLate
	case ctx.Err() != nil:
		return ctx.Err()
	case l.awaitGone(ctx):
		return errEnded
	}
	return err
}

// bootError is what the user sees of a boot that came to nothing.
func bootError(vm model.VM, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return model.Errorf(model.CodeBoot, "booting VM %s: %w%s", vm.Name, err, lastWords(consolePath(vm))).
		WithHint("another kernel may do: `banger kernel list --available`, then --kernel NAME; `banger logs %s` shows the console of a VM that was kept", vm.Name)
}

func (s *Service) bootTimeout(driver picked) time.Duration {
	switch {
	case s.cfg.BootTimeout > 0:
		return s.cfg.BootTimeout
	case driver.features.Accel == "kvm":
		return 20 * time.Second
	default:
		return 60 * time.Second
	}
}
