package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// PortsVM returns the TCP ports that processes of a guest listen on.
func (s *Service) PortsVM(ctx context.Context, p rpc.NameParams) ([]model.GuestPort, error) {
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	if err := refusePaused(vm); err != nil {
		return nil, err
	}
	l := s.lookup(vm.ID)
	if l == nil || vm.State != model.VMRunning {
		return nil, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State).
			WithHint("start it: banger start %s", vm.Name)
	}
	reach, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	agent, err := l.agent(reach)
	if err != nil {
		return nil, s.lost(ctx, vm, l, err)
	}
	found, err := agent.Ports(reach)
	if err != nil {
		return nil, s.lost(ctx, vm, l, err)
	}
	ports := make([]model.GuestPort, len(found))
	for i, port := range found {
		ports[i] = model.GuestPort(port)
	}
	return ports, nil
}
