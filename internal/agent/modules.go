package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules of the list. One that fails is no reason to
// stop: what is missing shows later, or never.
func loadModules() error {
	list, err := os.ReadFile(modulesList)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for line := range bytes.Lines(list) {
		if path := string(bytes.TrimSpace(line)); path != "" {
			logError(loadModule(path))
		}
	}
	return errors.Join(err, os.RemoveAll(modulesDir))
}

// loadModule loads one module, without its signature where the kernel takes
// it so: who made the initial file system chose the kernel as well, and
// checking is most of the work of loading. A module that is loaded or built in
// already, or that has no device, is fine.
func loadModule(path string) error {
	module, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	bare := withoutSignature(module)
	err = unix.InitModule(bare, "")
	if err != nil && len(bare) < len(module) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) {
		err = unix.InitModule(module, "")
	}
	if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) {
		return &os.PathError{Op: "load", Path: path, Err: err}
	}
	return nil
}

// The end of a signed module (include/linux/module_signature.h): signature,
// struct module_signature with the signature's length in its last four bytes,
// marker.
const (
	signatureMarker = "~Module signature appended~\n"
	signatureInfo   = 12
)

// withoutSignature returns the module alone; one without a signature, or with
// one that is not as it should be, as it is.
func withoutSignature(module []byte) []byte {
	rest, ok := bytes.CutSuffix(module, []byte(signatureMarker))
	if !ok || len(rest) < signatureInfo {
		return module
	}
	length := uint64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	rest = rest[:len(rest)-signatureInfo]
	if length >= uint64(len(rest)) {
		return module
	}
	return rest[:uint64(len(rest))-length]
}
