package wire

import "banger/internal/model"

// Version is the protocol's. An agent answers a host of the same or the
// previous version.
const Version = 1

// Kind names what a stream is for. It is in the stream's first message.
type Kind string

// The kinds.
const (
	KindControl Kind = "control" // one Request, one Response, closed
	KindExec    Kind = "exec"    // an ExecRequest, then frames both ways
)

// Hello is the agent's account of itself and its guest.
type Hello struct {
	Protocol     int    `json:"protocol"`
	AgentVersion string `json:"agent_version"`
	Kernel       string `json:"kernel"` // uname -r
	Configured   bool   `json:"configured"`
	BootID       string `json:"boot_id"`
	// Marks are seconds of guest time at which the agent reached a point.
	Marks []Mark `json:"marks"`
}

// Mark is one point of the boot.
type Mark struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Config is what the host tells a booted guest, once per boot.
type Config struct {
	Hostname string   `json:"hostname"`
	Time     int64    `json:"time"`    // Unix nanoseconds
	Entropy  []byte   `json:"entropy"` // 64 bytes for the guest's random pool
	Root     RootFS   `json:"root"`
	Network  *Network `json:"network,omitempty"` // nil: loopback only
}

// RootFS says which disk is the root and what to do with it.
type RootFS struct {
	Device string `json:"device"` // /dev/vda
	FSType string `json:"fs_type"`
	Grow   bool   `json:"grow"` // resize the filesystem to the disk, on line
}

// Network is the one card's configuration, static: no DHCP client is needed.
type Network struct {
	MAC     string   `json:"mac"`
	Address string   `json:"address"` // CIDR
	Gateway string   `json:"gateway"`
	DNS     []string `json:"dns"`
	MTU     int      `json:"mtu,omitempty"`
}

// Request is one control call. Op decides which field is used.
type Request struct {
	Op       Op        `json:"op"`
	Config   *Config   `json:"config,omitempty"`
	Shutdown *Shutdown `json:"shutdown,omitempty"`
}

// Op is a control call.
type Op string

// The calls.
const (
	OpHello     Op = "hello"
	OpConfigure Op = "configure"
	OpShutdown  Op = "shutdown"
)

// Response answers a Request. Error set: nothing was done.
type Response struct {
	Error string `json:"error,omitempty"`
	Hello *Hello `json:"hello,omitempty"`
}

// Shutdown ends the guest: processes get SIGTERM, after the grace SIGKILL,
// then filesystems are synced and the machine is switched off.
type Shutdown struct {
	GraceMillis int64 `json:"grace_millis"`
}

// ExecRequest is a process to run. User, WorkingDir and Env are resolved in
// the guest, against the image's own /etc/passwd and /etc/group.
type ExecRequest struct {
	Argv       []string       `json:"argv"`
	Env        []string       `json:"env"` // complete, but for HOME, USER, PATH and TERM defaults
	WorkingDir string         `json:"working_dir"`
	User       string         `json:"user"` // "", name, uid, name:group, uid:gid
	TTY        bool           `json:"tty"`
	Size       *model.WinSize `json:"size,omitempty"`
	Stdin      bool           `json:"stdin"`
	Detach     bool           `json:"detach"` // answer when started; output goes to the guest's console
}
