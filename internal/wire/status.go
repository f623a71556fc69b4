package wire

import (
	"math"
	"net/netip"

	"banger/internal/model"
)

// Limits of what an agent says of its guest.
const (
	MaxInterfaces = 64   // network interfaces in a Status
	MaxPorts      = 1024 // in an answer to OpPorts
	maxInterface  = 15   // bytes of a name, IFNAMSIZ without its NUL
	maxComm       = 15   // bytes of a process's name, TASK_COMM_LEN without its NUL
)

// Status is how a guest does at the moment.
type Status struct {
	UptimeSeconds   float64     `json:"uptime_seconds"`
	Load            [3]float64  `json:"load"` // of 1, 5 and 15 minutes
	Processes       int         `json:"processes"`
	MemoryTotal     int64       `json:"memory_total"` // bytes
	MemoryAvailable int64       `json:"memory_available"`
	RootTotal       int64       `json:"root_total"` // bytes of the root filesystem
	RootFree        int64       `json:"root_free"`  // that a process without privileges may fill
	Interfaces      []Interface `json:"interfaces"` // without loopback
}

// Interface counts what a network interface has moved since the boot.
type Interface struct {
	Name    string `json:"name"`
	RxBytes uint64 `json:"rx_bytes"`
	TxBytes uint64 `json:"tx_bytes"`
}

// Port is a TCP port that a process of the guest listens on.
type Port struct {
	Address string `json:"address"` // 0.0.0.0, ::, 127.0.0.1, ...
	Port    uint16 `json:"port"`
	PID     int    `json:"pid,omitempty"`     // one of the processes that have it; 0: not known
	Process string `json:"process,omitempty"` // its name, /proc/PID/comm
}

// Validate checks an answer of an agent, which is untrusted, and makes its
// texts printable.
func (s *Status) Validate() error {
	for _, f := range []float64{s.UptimeSeconds, s.Load[0], s.Load[1], s.Load[2]} {
		if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
			return violation("status with the number %v", f)
		}
	}
	for _, n := range []int64{int64(s.Processes), s.MemoryTotal, s.MemoryAvailable, s.RootTotal, s.RootFree} {
		if n < 0 {
			return violation("status with the number %d", n)
		}
	}
	if len(s.Interfaces) > MaxInterfaces {
		return violation("%d network interfaces", len(s.Interfaces))
	}
	for i := range s.Interfaces {
		name := &s.Interfaces[i].Name
		if len(*name) > maxInterface {
			return violation("network interface with a name of %d bytes", len(*name))
		}
		*name = model.Printable(*name)
	}
	return nil
}

// ValidatePorts checks an answer of an agent, which is untrusted, and makes its
// texts printable.
func ValidatePorts(ports []Port) error {
	if len(ports) > MaxPorts {
		return violation("%d ports", len(ports))
	}
	for i := range ports {
		p := &ports[i]
		if addr, err := netip.ParseAddr(p.Address); err != nil || addr.Zone() != "" || p.Port == 0 {
			return violation("port %d of address %.40q", p.Port, p.Address)
		}
		if len(p.Process) > maxComm || p.PID < 0 {
			return violation("port %d of process %d with a name of %d bytes", p.Port, p.PID, len(p.Process))
		}
		p.Process = model.Printable(p.Process)
	}
	return nil
}
