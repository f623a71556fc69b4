package kernelcat

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
)

// PruneKernels deletes every kernel that nothing needs but the default one,
// and returns what they were. One that is taken into use meanwhile stays.
func (s *Service) PruneKernels(ctx context.Context, p rpc.KernelPruneParams) ([]model.Kernel, error) {
	kernels, err := s.ListKernels(ctx)
	if err != nil {
		return nil, err
	}
	def, err := s.defaultName()
	if err != nil {
		return nil, err
	}
	pruned := []model.Kernel{}
	for _, k := range kernels {
		users, err := s.users(ctx, k)
		if err != nil {
			return pruned, err
		}
		if k.Name == def || len(users) > 0 {
			continue
		}
		if !p.DryRun {
			_, err := s.DeleteKernel(ctx, rpc.NameParams{Name: k.Name})
			switch model.CodeOf(err) {
			case "":
			case model.CodeConflict, model.CodeNotFound: // in use or gone since
				continue
			default:
				return pruned, err
			}
		}
		pruned = append(pruned, k)
	}
	return pruned, nil
}
