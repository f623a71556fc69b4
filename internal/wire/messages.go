package wire

import "banger/internal/model"

// Version is the protocol's. A host speaks to agents of the same and of the
// previous version; it never sends a field that an agent's version lacks.
const Version = 1

// Kind names what a stream is for.
type Kind string

// The kinds.
const (
	KindControl Kind = "control" // one Request, one Response, closed
	KindExec    Kind = "exec"    // an ExecRequest, then frames both ways
)

// Open is the first message of a stream, from the host. Kind decides which
// of the other fields is set.
type Open struct {
	Kind    Kind         `json:"kind"`
	Request *Request     `json:"request,omitempty"`
	Exec    *ExecRequest `json:"exec,omitempty"`
}

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
	Seconds float64 `json:"seconds"` // since the guest's kernel started
}

// Config is what the host tells a booted guest, once per boot.
type Config struct {
	Hostname string   `json:"hostname"`
	Time     int64    `json:"time"`    // Unix nanoseconds
	Entropy  []byte   `json:"entropy"` // 64 bytes for the guest's random pool
	Root     RootFS   `json:"root"`
	Mounts   []Mount  `json:"mounts,omitempty"`  // in this order
	Network  *Network `json:"network,omitempty"` // nil: loopback only
	Modules  string   `json:"modules,omitempty"` // device of the disk with the kernel's modules
}

// RootFS says which disk is the root and what to do with it.
type RootFS struct {
	Device string `json:"device"`  // /dev/vda
	FSType string `json:"fs_type"` // ext4
	Grow   bool   `json:"grow"`    // resize the filesystem to the disk, on line
}

// Network is the one card's configuration, static: no DHCP client is needed.
type Network struct {
	MAC     string   `json:"mac"`     // of the card to configure; "" when there is only one
	Address string   `json:"address"` // CIDR
	Gateway string   `json:"gateway"` // "": no default route
	DNS     []string `json:"dns"`
	MTU     int      `json:"mtu,omitempty"` // bytes; 0: the card's own
}

// Request is one control call. Op decides which field is used.
type Request struct {
	Op       Op        `json:"op"`
	Config   *Config   `json:"config,omitempty"`
	Shutdown *Shutdown `json:"shutdown,omitempty"`
	Grow     *Grow     `json:"grow,omitempty"`
}

// Op is a control call.
type Op string

// The calls.
const (
	OpHello     Op = "hello"
	OpConfigure Op = "configure"
	OpShutdown  Op = "shutdown"
	OpStatus    Op = "status" // CodeUnsupported: the agent is older than the call
	OpPorts     Op = "ports"  // likewise
	OpGrow      Op = "grow"
)

// Response answers a Request. A Fault means that it was refused or failed.
type Response struct {
	Fault  *Fault  `json:"fault,omitempty"`
	Hello  *Hello  `json:"hello,omitempty"`
	Status *Status `json:"status,omitempty"`
	Ports  []Port  `json:"ports,omitempty"`
}

// Fault is an error on its way to the host.
type Fault struct {
	Code    model.Code `json:"code"`
	Message string     `json:"message"`
}

// Shutdown ends the guest: processes get SIGTERM, after the grace SIGKILL,
// then filesystems are synced and the machine is switched off.
type Shutdown struct {
	GraceMillis int64 `json:"grace_millis"`
}

// ExecRequest is a process to run. User, WorkingDir and Env are resolved in
// the guest, against the image's own /etc/passwd and /etc/group.
type ExecRequest struct {
	Argv           []string       `json:"argv"`
	Env            []string       `json:"env"`              // complete, but for HOME, USER, PATH and TERM defaults
	WorkingDir     string         `json:"working_dir"`      // absolute; "": the root directory
	MakeWorkingDir bool           `json:"make_working_dir"` // create it when it is missing, as the OCI image-spec wants for an image's own
	User           string         `json:"user"`             // "", name, uid, name:group, uid:gid
	TTY            bool           `json:"tty"`              // a terminal in place of pipes; all output is stdout
	Size           *model.WinSize `json:"size,omitempty"`
	Stdin          bool           `json:"stdin"`  // false: standard input is empty
	Detach         bool           `json:"detach"` // answer when started; output goes to the guest's console
}
