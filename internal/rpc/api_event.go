package rpc

import (
	"context"
	"io"
	"time"
)

// EventAPI tells what happens.
type EventAPI interface {
	// Events writes events to w as JSON lines (model.Event), oldest first:
	// the past, and with Follow what comes until ctx ends.
	Events(ctx context.Context, p EventsParams, w io.Writer) error
}

// EventsParams says which events to tell.
type EventsParams struct {
	Since   time.Time `json:"since,omitzero" doc:"time of the first; default: all that is kept, with follow none of the past"`
	Until   time.Time `json:"until,omitzero" doc:"time before which the last was"`
	Tail    int       `json:"tail,omitempty" minimum:"0" maximum:"100000" doc:"of the past the last ones only"`
	Follow  bool      `json:"follow,omitempty"`
	Filters []string  `json:"filters,omitempty" maxItems:"64" doc:"KEY=VALUE with the keys noun, id, name, action, kind"`
}
