package protocol

import (
	"strings"

	"banger/internal/model"
)

// Version is the API's, major.minor. Client and daemon work together when
// they agree on the major number. A new minor adds operations and fields only.
const Version = "1.0"

// Host is the only Host header that the socket answers to: a browser that was
// tricked into connecting sends the name of a site.
const Host = "banger"

const (
	VersionHeader = "X-Banger-Version"
	ErrorTrailer  = "X-Banger-Error" // of a streamed body that broke off
	PathPrefix    = "/v1/"
	OpenAPIPath   = "/v1/openapi.json"
	EventStream   = "text/event-stream"

	// MaxBody is the longest request body in bytes, and the longest message
	// of a WebSocket.
	MaxBody = 1 << 20
	// MaxAnswer is the longest answer in bytes that a client takes.
	MaxAnswer = 64 << 20
)

// The events of a long call: any number of progress, then one of the others.
const (
	EventProgress = "progress"
	EventResult   = "result"
	EventError    = "error"
)

// Compatible checks the version that the other side has sent; a side that
// sends none, such as curl, is taken as it is.
func Compatible(theirs, who string) error {
	major, _, _ := strings.Cut(Version, ".")
	other, _, _ := strings.Cut(theirs, ".")
	if theirs == "" || other == major {
		return nil
	}
	return model.Errorf(model.CodeUnsupported, "%s speaks version %.16q of the API, this program %s", who, theirs, Version).
		WithHint("use banger and bangerd of one release; `banger system shutdown` ends the old daemon, VMs go on")
}
