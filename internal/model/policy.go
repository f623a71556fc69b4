package model

import (
	"strconv"
	"strings"
)

// Policy is what banger does with a VM by itself.
type Policy struct {
	Restart     RestartPolicy `json:"restart,omitempty" doc:"when it comes back; empty: no"`
	MaxRestarts int           `json:"max_restarts,omitempty" doc:"in a row, for on-failure; 0: no limit"`
	TTLSeconds  int64         `json:"ttl_seconds,omitempty" doc:"stopped that long after its start; 0: never"`
	IdleSeconds int64         `json:"idle_seconds,omitempty" doc:"stopped after that long without work; 0: never"`
}

// RestartPolicy says after which ends a VM comes back. The words and their
// meanings are docker's.
type RestartPolicy string

// The policies.
const (
	RestartNo            RestartPolicy = "no"
	RestartOnFailure     RestartPolicy = "on-failure"     // and after a host's crash
	RestartAlways        RestartPolicy = "always"         // and with the daemon, even when it was stopped on purpose
	RestartUnlessStopped RestartPolicy = "unless-stopped" // and with the daemon
)

// ParseRestart reads a policy as users write it: its name, and on-failure
// with a largest number of restarts in a row, as in on-failure:5.
func ParseRestart(s string) (RestartPolicy, int, error) {
	name, limit, limited := strings.Cut(s, ":")
	policy := RestartPolicy(name)
	switch policy {
	case RestartNo, RestartAlways, RestartUnlessStopped:
		if !limited {
			return policy, 0, nil
		}
	case RestartOnFailure:
		if !limited {
			return policy, 0, nil
		}
		if n, err := strconv.Atoi(limit); err == nil && n > 0 && n <= 1000 {
			return policy, n, nil
		}
	}
	return "", 0, Errorf(CodeInvalid, "restart policy %q: no, on-failure, on-failure:N (at most 1000), always or unless-stopped is wanted", s)
}

// EndKind says how the last run of a VM ended, as far as a restart policy cares.
type EndKind string

// The kinds; "" is a VM that has never come up.
const (
	EndAsked    EndKind = "asked"    // by its user, or by its TTL or idle time
	EndPoweroff EndKind = "poweroff" // by the guest itself
	EndFailure  EndKind = "failure"  // anything else
)

// ComesBack tells whether a VM that ended this way is to be started again:
// right then, or as a daemon starts.
func (p Policy) ComesBack(end EndKind, restarts int, daemonStart bool) bool {
	switch p.Restart {
	case RestartAlways:
		return end == EndPoweroff || end == EndFailure || end == EndAsked && daemonStart
	case RestartUnlessStopped:
		return end == EndPoweroff || end == EndFailure
	case RestartOnFailure:
		return end == EndFailure && (p.MaxRestarts == 0 || restarts < p.MaxRestarts)
	}
	return false
}
