package vm

import (
	"context"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

// pingTimeout is how long a healthy guest may take to answer, an emulated one
// on a loaded host too.
const pingTimeout = 5 * time.Second

// HealthVM asks a VM's agent for an answer. A VM that does not give one is no
// error: that is the answer.
func (s *Service) HealthVM(ctx context.Context, p rpc.NameParams) (model.VMHealth, error) {
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return model.VMHealth{}, err
	}
	health := model.VMHealth{ID: vm.ID, Name: vm.Name, State: vm.State}
	l := s.lookup(vm.ID)
	if l == nil || vm.State != model.VMRunning {
		health.Why = firstOf(vm.Reason, "it is "+string(vm.State))
		return health, nil
	}
	bounded, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	agent, err := l.agent(bounded)
	if err == nil {
		began := time.Now()
		_, err = agent.Hello(bounded)
		health.PingMicros = time.Since(began).Microseconds()
	}
	if err != nil {
		health.Why = "its agent does not answer: " + err.Error()
		return health, ctx.Err()
	}
	health.Healthy = true
	if status, err := agent.Status(bounded); err == nil { // an agent of an older release has none
		health.Guest = toGuestStats(status)
	}
	return health, nil
}
