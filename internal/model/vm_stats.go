package model

import "time"

// VMStats is what a VM has used since it started, and how its guest does.
// Counters only grow while it runs: rates are for who looks twice.
type VMStats struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	State       VMState     `json:"state"`
	At          time.Time   `json:"at" doc:"when it was measured"`
	StartedAt   time.Time   `json:"started_at,omitzero"`
	CPUs        int         `json:"cpus"`
	CPUSeconds  float64     `json:"cpu_seconds" doc:"processor time on the host"`
	MemoryMiB   int         `json:"memory_mib" doc:"that the guest has"`
	MemoryBytes int64       `json:"memory_bytes" doc:"resident on the host"`
	Disks       []DiskStats `json:"disks" doc:"in the guest's order: vda, vdb, ..."`
	Guest       *GuestStats `json:"guest,omitempty" doc:"absent when its agent did not answer"`
	GuestError  string      `json:"guest_error,omitempty" doc:"why it did not"`
}

// DiskStats counts what a guest has read from and written to a disk.
type DiskStats struct {
	ReadBytes  int64 `json:"read_bytes"`
	WriteBytes int64 `json:"write_bytes"`
	Reads      int64 `json:"reads"`
	Writes     int64 `json:"writes"`
}

// GuestStats is what the agent says of its guest. Untrusted: shown, never
// acted on.
type GuestStats struct {
	UptimeSeconds        float64          `json:"uptime_seconds"`
	Load                 [3]float64       `json:"load" doc:"of 1, 5 and 15 minutes"`
	Processes            int              `json:"processes"`
	MemoryTotalBytes     int64            `json:"memory_total_bytes"`
	MemoryAvailableBytes int64            `json:"memory_available_bytes"`
	RootTotalBytes       int64            `json:"root_total_bytes" doc:"size of the root filesystem"`
	RootFreeBytes        int64            `json:"root_free_bytes"`
	Interfaces           []InterfaceStats `json:"interfaces"`
}

// InterfaceStats counts what a network interface of a guest has moved.
type InterfaceStats struct {
	Name    string `json:"name"`
	RxBytes uint64 `json:"rx_bytes"`
	TxBytes uint64 `json:"tx_bytes"`
}

// VMHealth says whether a VM answers.
type VMHealth struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	State      VMState     `json:"state"`
	Healthy    bool        `json:"healthy" doc:"it runs and its agent answered in time"`
	Why        string      `json:"why,omitempty" doc:"when it is not healthy"`
	PingMicros int64       `json:"ping_micros,omitempty" doc:"until the agent's answer"`
	Guest      *GuestStats `json:"guest,omitempty"`
}

// GuestPort is a TCP port that a process of a guest listens on. Untrusted.
type GuestPort struct {
	Address string `json:"address" doc:"that it is bound to: 0.0.0.0 and :: are all"`
	Port    uint16 `json:"port"`
	PID     int    `json:"pid,omitempty" doc:"in the guest: one of the processes that listen"`
	Process string `json:"process,omitempty" doc:"its name"`
}
