package wire

import "time"

// Limits of the protocol. Both sides enforce them; a peer that exceeds one
// has broken the protocol and loses its link.
const (
	MaxMessage  = 1 << 20   // bytes of one JSON message
	MaxPayload  = 64 << 10  // bytes that one frame carries
	MaxReport   = 8 << 10   // bytes of the payload of an exit or error frame
	MaxStreams  = 64        // streams open at one time on one link
	MaxExecs    = 56        // of them processes; the others are for control calls
	StdinWindow = 256 << 10 // bytes of standard input sent but not yet taken by the process

	maxWindow = 1 << 20   // bytes buffered per stream
	maxStale  = 128 << 20 // bytes of a dead session skipped in a handshake
)

// Times of the multiplexer. Callers have deadlines of their own.
const (
	// A guest that is paused takes nothing, for as long as it pleases its
	// user; one that is gone closes the link.
	writeTimeout = 24 * time.Hour
	// A guest may not keep what the host has closed. The agent on the other
	// hand waits: its last bytes may be with a host whose user reads slowly.
	hostCloseTimeout  = 30 * time.Second
	agentCloseTimeout = 0
)

// Bounds of what an Open may ask for.
const (
	maxName    = 64      // bytes of a host name, as in sethostname(2)
	maxPath    = 4095    // bytes, PATH_MAX without its NUL
	maxUser    = 256     // bytes
	maxStrings = 1 << 14 // arguments and variables
	maxEntropy = 512     // bytes
	maxServers = 8       // name servers
	minMTU     = 576
	maxMTU     = 65535
	maxGrace   = time.Hour
	maxMarks   = 64
	maxFact    = 256     // bytes of a text in hello
	maxText    = 1 << 10 // bytes of an error's text: its JSON fits MaxReport
)
