package qemu

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"banger/internal/model"
	"banger/internal/vmm"
)

// LogFile is what QEMU itself has to say, in a VM's run directory.
const LogFile = "qemu.log"

// Names in a VM's run directory.
const (
	lockFile    = "lock"       // locked for as long as the process lives
	monitorFile = "qmp.sock"   // QEMU's monitor
	agentFile   = "agent.sock" // the agent's byte stream
	consoleFile = "tty.sock"   // the serial console, both ways
	pidFile     = "qemu.pid"
)

// Descriptors that QEMU inherits beside the standard ones. Sockets are made
// by the driver, so that connecting never races with QEMU's start.
const (
	lockFD    = 3
	monitorFD = 4
	agentFD   = 5
	consoleFD = 6
)

// agentPort is the virtio-serial port that the agent looks for.
const agentPort = "banger.agent"

// Args returns QEMU's arguments for spec. It is pure; spec must be valid.
func Args(spec vmm.Spec, host Host) []string {
	board := boardOf(spec.Machine)
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-name", vmName(spec.ID, spec.Generation),
		"-pidfile", filepath.Join(spec.RunDir, pidFile),
		"-smp", strconv.Itoa(spec.CPUs),
		"-m", strconv.Itoa(spec.MemoryMiB),
		"-kernel", spec.Kernel,
		"-append", cmdline(spec.Cmdline, host),
	}
	args = append(args, board.args...)
	if spec.Initrd != "" {
		args = append(args, "-initrd", spec.Initrd)
	}
	args = append(args, accelArgs(host.Accel)...)
	if host.Sandbox {
		args = append(args, sandboxArgs()...)
	}
	args = append(args, channelArgs(spec, board)...)
	for i, d := range spec.Disks {
		args = append(args, diskArgs(i, d, board)...)
	}
	if spec.Network == model.NetUser {
		args = append(args, userNetArgs(spec.MAC, board)...)
	}
	return args
}

// vmName is the name by which a process tells whose it is.
func vmName(id, generation string) string { return "banger-" + id + "-" + generation }

func accelArgs(accel Accel) []string {
	if accel == AccelKVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", "max"}
}

// sandboxArgs forbid what a VM's process never needs: old system calls,
// gaining privileges, starting programs, changing its scheduling.
func sandboxArgs() []string {
	return []string{"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"}
}

// channelArgs are the monitor, the serial console, the agent's port and a
// source of entropy.
func channelArgs(spec vmm.Spec, board board) []string {
	return []string{
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d,server=on,wait=off", monitorFD),
		"-mon", "chardev=monitor,mode=control",
		// The file is written whether somebody is attached or not, and with no
		// daemon too.
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d,server=on,wait=off,logappend=on,logfile=%s", consoleFD, optionValue(spec.Console)),
		"-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d,server=on,wait=off", agentFD),
		"-device", board.virtio("serial"),
		"-device", "virtserialport,chardev=agent,name=" + agentPort,
		"-object", "rng-builtin,id=rng",
		"-device", board.virtio("rng") + ",rng=rng,max-bytes=4096,period=1000",
	}
}

// optionValue escapes s for one of QEMU's comma-separated option lists.
func optionValue(s string) string { return strings.ReplaceAll(s, ",", ",,") }

// diskArgs are the i-th disk. The block nodes are given as JSON, which has no
// place for options in file names, and no format is ever probed.
func diskArgs(i int, d vmm.Disk, board board) []string {
	id := diskNode(i)
	node := blockNode{Driver: "raw", NodeName: id, ReadOnly: d.ReadOnly, Discard: "unmap", File: fileNode(d.Path, d.ReadOnly)}
	if d.Format == vmm.Qcow2 {
		node.Driver = "qcow2"
		node.Backing = &blockNode{Driver: "raw", ReadOnly: true, File: fileNode(d.Backing, true)}
	}
	return []string{
		"-blockdev", node.json(),
		"-device", fmt.Sprintf("%s,drive=%s,serial=%s", board.virtio("blk"), id, id),
	}
}

// diskNode is the name of the i-th disk's block node, and its serial number.
func diskNode(i int) string { return fmt.Sprintf("disk%d", i) }

// blockNode is a BlockdevOptions of QEMU's qapi/block-core.json.
type blockNode struct {
	Driver   string     `json:"driver"`
	NodeName string     `json:"node-name,omitempty"`
	Filename string     `json:"filename,omitempty"`
	ReadOnly bool       `json:"read-only"`
	Discard  string     `json:"discard,omitempty"`
	File     *blockNode `json:"file,omitempty"`
	Backing  *blockNode `json:"backing,omitempty"`
}

func fileNode(path string, readOnly bool) *blockNode {
	n := &blockNode{Driver: "file", Filename: path, ReadOnly: readOnly}
	if !readOnly {
		n.Discard = "unmap"
	}
	return n
}

func (n blockNode) json() string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // strings and booleans only
	}
	return string(b)
}
