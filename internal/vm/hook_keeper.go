package vm

import (
	"context"

	"banger/internal/keeper"
	"banger/internal/model"
)

// keeperHook has the consoles kept short also when the daemon has ended.
func keeperHook(k *keeper.Keeper) Hook {
	return Hook{
		Name:    "keeper",
		Prepare: func(ctx context.Context, _ model.VM) error { return k.Ensure(ctx) },
	}
}
