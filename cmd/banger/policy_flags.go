package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"banger/internal/model"
)

// policyFlags say what a VM does by itself.
type policyFlags struct{ value model.Policy }

func (f *policyFlags) add(flags *pflag.FlagSet) {
	flags.Var(restartValue{&f.value}, "restart", "when the VM comes back by itself: no, on-failure, on-failure:N, always or unless-stopped")
	flags.Var((*secondsValue)(&f.value.TTLSeconds), "ttl", "stop the VM that long after its start, such as 30m or 8h")
	flags.Var((*secondsValue)(&f.value.IdleSeconds), "idle-timeout", "stop the VM after that long without work: no attached process, no processor time")
}

// restartValue is a flag that takes a restart policy.
type restartValue struct{ policy *model.Policy }

func (v restartValue) Set(s string) (err error) {
	v.policy.Restart, v.policy.MaxRestarts, err = model.ParseRestart(s)
	return err
}

func (v restartValue) Type() string { return "policy" }

func (v restartValue) String() string {
	switch {
	case v.policy == nil:
		return ""
	case v.policy.MaxRestarts > 0:
		return fmt.Sprintf("%s:%d", v.policy.Restart, v.policy.MaxRestarts)
	}
	return string(v.policy.Restart)
}

// secondsValue is a flag that takes a time such as 90s, 30m or 8h; it holds
// seconds. 0 is none.
type secondsValue int64

func (v *secondsValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil && s != "0" {
		return fmt.Errorf("%q is no time: 90s, 30m or 8h is wanted", s)
	}
	if d < 0 {
		return fmt.Errorf("%q: a time is not below zero", s)
	}
	if d%time.Second != 0 {
		return fmt.Errorf("%q: whole seconds are wanted", s)
	}
	*v = secondsValue(d / time.Second)
	return nil
}

func (v *secondsValue) Type() string { return "time" }

func (v *secondsValue) String() string {
	if *v == 0 {
		return ""
	}
	return (time.Duration(*v) * time.Second).String()
}
