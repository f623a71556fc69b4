package wire

import "banger/internal/model"

// Version is the protocol's. A host refuses an agent of another one, whose
// VM then is to be restarted.
const Version = 1

// Kind names what a stream is for.
type Kind string

// The kinds.
const (
	KindControl Kind = "control" // one Request, one Response, closed
	KindExec    Kind = "exec"    // an ExecRequest, then frames both ways
)

// Header is the first message of every stream, from the host.
type Header struct {
	Kind    Kind         `json:"kind"`
	Control *Request     `json:"control,omitempty"`
	Exec    *ExecRequest `json:"exec,omitempty"`
}

// Hello is the agent's account of itself and its guest.
type Hello struct {
	Protocol     int    `json:"protocol"`
	AgentVersion string `json:"agent_version"`
	Kernel       string `json:"kernel"` // uname -r
	Configured   bool   `json:"configured"`
	// Marks are the points that the boot has reached.
	Marks []Mark `json:"marks"`
}

// Mark is one point of the boot.
type Mark struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"` // of guest time since the kernel's start
}

// Config is what the host tells a booted guest, once per boot.
type Config struct {
	Hostname string   `json:"hostname"`
	Time     int64    `json:"time"`    // Unix nanoseconds
	Entropy  []byte   `json:"entropy"` // for the guest's random pool
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
	Address string   `json:"address"` // CIDR, IPv4
	Gateway string   `json:"gateway"`
	DNS     []string `json:"dns"`
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

// Response answers a Request. Error set: it was not done.
type Response struct {
	Error string `json:"error,omitempty"`
	Hello *Hello `json:"hello,omitempty"`
}

// Shutdown ends the guest: processes get SIGTERM, after the grace SIGKILL,
// then filesystems are synced and the machine is switched off.
type Shutdown struct {
	GraceMillis int64 `json:"grace_millis"`
}

// ExecRequest is a process to run. User, WorkingDir and Argv[0] are resolved
// in the guest, against the image's own files.
type ExecRequest struct {
	Argv       []string `json:"argv"`
	Env        []string `json:"env"` // defaults are added for PATH, HOME, USER and TERM
	WorkingDir string   `json:"working_dir"`
	// MakeWorkingDir creates the directory when it is missing, as the OCI
	// image-spec wants for an image's own.
	MakeWorkingDir bool           `json:"make_working_dir"`
	User           string         `json:"user"` // "", name, uid, name:group, uid:gid
	TTY            bool           `json:"tty"`
	Size           *model.WinSize `json:"size,omitempty"`
	Stdin          bool           `json:"stdin"`  // else its input is empty
	Detach         bool           `json:"detach"` // answer when started; output goes to the console
}
