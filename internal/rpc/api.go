package rpc

import (
	"context"

	"banger/internal/model"
)

// API is everything that the daemon can do. Client and daemon.Daemon both
// implement it. Errors are *model.Error. Cancelling ctx undoes a long call
// that has not been acknowledged.
type API interface {
	SystemAPI
	HealthAPI
	ImageAPI
	KernelAPI
	VMAPI
	VolumeAPI
	OperationAPI
	EventAPI
}

// SystemAPI is about the daemon itself.
type SystemAPI interface {
	// Version says what the daemon is and where it keeps its state.
	Version(ctx context.Context) (model.VersionInfo, error)
	// Settings says what the daemon was started with.
	Settings(ctx context.Context) (model.Settings, error)
	// Shutdown ends the daemon; running VMs go on.
	Shutdown(ctx context.Context) error
}

// OperationAPI shows and ends long calls from elsewhere.
type OperationAPI interface {
	ListOperations(ctx context.Context) ([]model.Operation, error)
	ShowOperation(ctx context.Context, p IDParams) (model.Operation, error)
	// WatchOperation reports what the operation does until it ends.
	WatchOperation(ctx context.Context, p IDParams, report model.Report) (model.Operation, error)
	CancelOperation(ctx context.Context, p IDParams) (model.Operation, error)
}

// NameParams names one object.
type NameParams struct {
	Name string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
}

// IDParams names one operation.
type IDParams struct {
	ID string `json:"id" maxLength:"64" doc:"id or unique prefix"`
}
