package agent

import (
	"io"

	"banger/internal/wire"
)

// What only PID 1 of a guest calls, for tests of what can be tested without.
var (
	WriteEtc         = writeEtc
	FindCard         = findCard
	LookupAccount    = lookupAccount
	WithoutSignature = withoutSignature
	Blocks           = blocks
	TakeOver         = takeOver
	Sysmon           = sysmon
)

// NewAccount makes what LookupAccount returns.
func NewAccount(uid, gid uint32, groups []uint32, name, home string) account {
	return account{uid, gid, groups, name, home}
}

func (a account) UID() uint32  { return a.uid }
func (a account) GID() uint32  { return a.gid }
func (a account) Home() string { return a.home }

// ModulesFor is what LoadOnRequest loads.
var ModulesFor = modulesFor

// PortsOf reads a table of sockets and names their owners as a directory like
// /proc has them.
func PortsOf(table io.Reader, proc string) ([]wire.Port, error) {
	found, err := readPorts(table)
	if err != nil {
		return nil, err
	}
	return nameOwners(proc, found), nil
}
