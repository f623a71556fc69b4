package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"banger/internal/imagetree"
)

// shellPath is what a registered image runs when nothing else is said.
const shellPath = "/bin/sh"

// errNoShell: there is no shell, which is no fault: programs may be all that a
// root filesystem has.
var errNoShell = errors.New("it has no " + shellPath)

// errOtherCPU: nothing in there would run.
var errOtherCPU = errors.New("the CPUs of guests here are " + runtime.GOARCH)

// checkShell looks for the shell in a root filesystem, which may be missing or
// for another CPU.
func checkShell(rootfs string) error {
	tree, err := imagetree.Open(rootfs)
	if err != nil {
		return err
	}
	defer tree.Close()
	at, err := resolvePath(tree, shellPath, true)
	if err != nil {
		return err
	}
	file, err := tree.FS().OpenFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoShell
	}
	if err != nil {
		return err
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return nil // a script may be a shell
	}
	if !runsHere(program.Machine) {
		return fmt.Errorf("%s is a program for %s: %w", shellPath, program.Machine, errOtherCPU)
	}
	return nil
}

// runsHere tells whether guests of this host run programs of a machine.
func runsHere(m elf.Machine) bool {
	switch runtime.GOARCH {
	case "amd64":
		return m == elf.EM_X86_64 || m == elf.EM_386
	case "arm64":
		return m == elf.EM_AARCH64
	}
	return true
}
