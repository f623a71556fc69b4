package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// policyHook checks what a VM is to do by itself. What follows from it is in
// comeback.go and expire.go.
func policyHook() Hook {
	return Hook{
		Name: "policy",
		Plan: func(_ context.Context, p rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
			spec.Policy = p.Policy
			return checkPolicy(spec.Policy, spec.AutoRemove)
		},
	}
}

// maxPolicySeconds is ten years: what a time.Duration can hold, and no typo.
const maxPolicySeconds = 10 * 365 * 24 * 3600

func checkPolicy(p model.Policy, autoRemove bool) error {
	restarts := p.Restart != "" && p.Restart != model.RestartNo
	switch {
	case restarts && autoRemove:
		return model.Errorf(model.CodeInvalid, "a VM that is deleted when it stops cannot come back").
			WithHint("leave out either --rm or --restart")
	case p.MaxRestarts != 0 && p.Restart != model.RestartOnFailure:
		return model.Errorf(model.CodeInvalid, "restart policy %q has no largest number of restarts", p.Restart)
	case p.MaxRestarts < 0 || p.TTLSeconds < 0 || p.IdleSeconds < 0 || p.TTLSeconds > maxPolicySeconds || p.IdleSeconds > maxPolicySeconds:
		return model.Errorf(model.CodeInvalid, "a time to live or to be idle is out of range: 0 to %d seconds", maxPolicySeconds)
	}
	if p.Restart != "" {
		_, _, err := model.ParseRestart(string(p.Restart))
		return err
	}
	return nil
}
