package wire

import (
	"io"
	"time"

	"github.com/hashicorp/yamux"
)

// Session multiplexes streams on one link. The host opens them.
type Session = yamux.Session

// Stream is one stream of a Session.
type Stream = yamux.Stream

// NewHostSession begins the multiplexer on the host's side.
func NewHostSession(conn io.ReadWriteCloser) (*Session, error) { return yamux.Client(conn, config()) }

// NewGuestSession begins the multiplexer on the guest's side.
func NewGuestSession(conn io.ReadWriteCloser) (*Session, error) { return yamux.Server(conn, config()) }

func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false // a guest may be paused for days
	c.LogOutput = io.Discard
	c.AcceptBacklog = MaxStreams
	c.MaxStreamWindowSize = 1 << 20 // measured best over virtio-serial: about 100 MB/s
	c.StreamOpenTimeout = 0         // a slow guest is no dead one; callers have their own deadlines
	c.ConnectionWriteTimeout = 30 * time.Second
	return c
}
