package rpc

import (
	"context"

	"banger/internal/model"
)

// HealthAPI looks at the host and at what is kept on it.
type HealthAPI interface {
	// Doctor checks what banger needs of this host.
	Doctor(ctx context.Context, p CheckParams) ([]model.Check, error)
	// CheckState compares rows, files and processes.
	CheckState(ctx context.Context, p CheckParams) ([]model.Check, error)
	// DiskUsage says what takes how much.
	DiskUsage(ctx context.Context) ([]model.Usage, error)
}

// CheckParams say what to do about findings.
type CheckParams struct {
	Fix bool `json:"fix,omitempty" doc:"mend what can be mended without losing anything"`
}
