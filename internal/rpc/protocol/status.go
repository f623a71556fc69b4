package protocol

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"banger/internal/model"
)

// statuses is the one map between codes and HTTP statuses. No status stands
// for two codes, so that it can be read both ways.
var statuses = map[model.Code]int{
	model.CodeInvalid:      http.StatusBadRequest,
	model.CodeNotFound:     http.StatusNotFound,
	model.CodeConflict:     http.StatusConflict,
	model.CodeUnauthorized: http.StatusForbidden,
	model.CodeUnreachable:  http.StatusBadGateway,
	model.CodeNoSpace:      http.StatusInsufficientStorage,
	model.CodeUnsupported:  http.StatusNotImplemented,
	model.CodeIntegrity:    http.StatusUnprocessableEntity,
	model.CodeLimit:        http.StatusRequestEntityTooLarge,
	model.CodeTimeout:      http.StatusGatewayTimeout,
	model.CodeCanceled:     499, // client closed request
	model.CodeBoot:         http.StatusServiceUnavailable,
	model.CodeFailed:       http.StatusFailedDependency,
	model.CodeInternal:     http.StatusInternalServerError,
}

// Statuses returns the HTTP status of every code.
func Statuses() map[model.Code]int { return maps.Clone(statuses) }

// StatusOf returns the HTTP status of code; an unknown one is internal.
func StatusOf(code model.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// CodeOfStatus returns the code of a status, for answers without a body of ours.
func CodeOfStatus(status int) model.Code {
	for code, s := range statuses {
		if s == status {
			return code
		}
	}
	if status >= 400 && status < 500 {
		return model.CodeInvalid
	}
	return model.CodeInternal
}

// WireError is err as it crosses the socket: its whole message, the outermost
// code, the first hint.
func WireError(err error) *model.Error {
	code := model.CodeOf(err)
	if code == model.CodeInternal {
		switch {
		case errors.Is(err, context.Canceled):
			code = model.CodeCanceled
		case errors.Is(err, context.DeadlineExceeded):
			code = model.CodeTimeout
		}
	}
	return &model.Error{Code: code, Msg: err.Error(), Hint: model.HintOf(err)}
}
