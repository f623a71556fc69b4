package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// insist is how soon a second signal must follow to mean "now".
const insist = 2 * time.Second

// sessionSignals are the signals that a session takes. With a raw terminal a
// broken pipe must end it too, since its default would leave the terminal raw.
func sessionSignals(tty bool) []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
	if tty {
		signals = append(signals, syscall.SIGPIPE)
	}
	return signals
}

// signalPolicy decides what a signal to banger means in a session: with a
// terminal or before the process runs it ends the session; else the process
// gets it, and a second one within insist ends the session.
type signalPolicy struct {
	tty     bool
	started bool
	last    time.Time
}

// forward reports whether the process gets the signal that came at now.
func (p *signalPolicy) forward(now time.Time) bool {
	if p.tty || !p.started {
		return false
	}
	if !p.last.IsZero() && now.Sub(p.last) < insist {
		return false
	}
	p.last = now
	return true
}

// signalRelay applies a signalPolicy to the signals of this process.
type signalRelay struct {
	names chan string // to the process in the VM
	stop  func()

	mu     sync.Mutex
	policy signalPolicy
}

// relaySignals starts a relay, which calls end with a *processExit when a
// signal ends the session. The caller must call stop.
func (a *app) relaySignals(ctx context.Context, tty bool, end context.CancelCauseFunc) *signalRelay {
	signals := make(chan os.Signal, 8)
	r := &signalRelay{
		names:  make(chan string, 8),
		stop:   a.notify(signals, sessionSignals(tty)...),
		policy: signalPolicy{tty: tty},
	}
	go func() {
		for {
			select {
			case sig := <-signals:
				r.take(sig, a.now(), end)
			case <-ctx.Done():
				return
			}
		}
	}()
	return r
}

func (r *signalRelay) take(sig os.Signal, now time.Time, end context.CancelCauseFunc) {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return
	}
	r.mu.Lock()
	forward := r.policy.forward(now)
	r.mu.Unlock()
	if !forward {
		end(&processExit{code: exitSignal + int(number)})
		return
	}
	select {
	case r.names <- signalName(number):
	default: // the process has eight to deal with already
	}
}

// started tells the policy that the process runs now.
func (r *signalRelay) started() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy.started = true
}

// signalName is the name of sig without SIG.
func signalName(sig syscall.Signal) string {
	return unix.SignalName(sig)[len("SIG"):]
}

// watchSize sends the size of the terminal at stream as it changes; the
// newest size replaces one that was not taken.
func (a *app) watchSize(ctx context.Context, stream any) <-chan model.WinSize {
	changed := make(chan os.Signal, 1)
	stop := a.notify(changed, syscall.SIGWINCH)
	sizes := make(chan model.WinSize, 1)
	go func() {
		defer stop()
		for {
			select {
			case <-changed:
				offerSize(sizes, terminalSize(stream))
			case <-ctx.Done():
				return
			}
		}
	}()
	return sizes
}

func offerSize(sizes chan model.WinSize, size *model.WinSize) {
	if size == nil {
		return
	}
	select {
	case <-sizes:
	default:
	}
	sizes <- *size // the channel has room for one and one sender
}

// notify is signal.Notify for the signals that are not ignored, as nohup does.
func notify(c chan<- os.Signal, sigs ...os.Signal) (stop func()) {
	for _, sig := range sigs {
		if !signal.Ignored(sig) {
			signal.Notify(c, sig)
		}
	}
	return func() { signal.Stop(c) }
}
