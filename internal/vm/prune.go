package vm

import (
	"context"
	"errors"
	"slices"

	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// PruneVMs deletes the VMs that do not run.
//
//	1 find     stopped and failed VMs that the filters pick
//	2 delete   each under its lock, unless it runs by then
//
// One that cannot be deleted does not keep the others; what was deleted is
// not given back.
func (s *Service) PruneVMs(ctx context.Context, p rpc.VMPruneParams, report model.Report) ([]model.VMSummary, error) {
	found, err := s.prunable(ctx, p) // 1
	if err != nil || p.DryRun || len(found) == 0 {
		return found, err
	}
	return operation.Do(ctx, s.cfg.Ops, "vm.prune", "", report, func(ctx context.Context, op *operation.Op) ([]model.VMSummary, error) {
		op.Stage("delete")
		pruned := []model.VMSummary{}
		var failed []error
		for _, vm := range found { // 2
			if err := ctx.Err(); err != nil {
				return pruned, err
			}
			switch done, err := s.pruneOne(ctx, vm.ID); {
			case err != nil:
				failed = append(failed, err)
			case done:
				pruned = append(pruned, vm)
			}
		}
		return pruned, errors.Join(failed...)
	})
}

// prunable returns the VMs that a prune of p deletes, never nil.
func (s *Service) prunable(ctx context.Context, p rpc.VMPruneParams) ([]model.VMSummary, error) {
	filter, err := model.ParseVMFilter(p.Filters, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Store.VMSummaries(ctx)
	if err != nil {
		return nil, err
	}
	found := []model.VMSummary{}
	for _, vm := range all {
		if ended(vm.State) && filter.Match(vm) && (p.IDs == nil || slices.Contains(p.IDs, vm.ID)) {
			found = append(found, vm)
		}
	}
	return found, nil
}

// ended reports whether a VM in that state has no process and may have one
// again.
func ended(state model.VMState) bool { return state == model.VMStopped || state == model.VMFailed }

// pruneOne deletes a VM if it still does not run.
func (s *Service) pruneOne(ctx context.Context, id string) (bool, error) {
	vm, unlock, err := s.lockNamed(ctx, id)
	if model.CodeOf(err) == model.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	if !ended(vm.State) || s.lookup(vm.ID) != nil {
		return false, nil
	}
	return true, s.remove(ctx, vm)
}
