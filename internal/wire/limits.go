package wire

import "errors"

// Limits of what a peer may send. A larger message or frame ends the link.
const (
	MaxMessage = 1 << 20  // bytes of one JSON message
	MaxFrame   = 64 << 10 // bytes of one frame's payload
	MaxStreams = 256      // streams that wait to be accepted
	// StdinWindow is how much input may be sent and not yet acknowledged. It
	// is less than a stream's own window.
	StdinWindow = 256 << 10
)

// ErrProtocol: the peer has broken the protocol.
var ErrProtocol = errors.New("the peer has broken the protocol")
