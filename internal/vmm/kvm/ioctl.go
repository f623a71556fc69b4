package kvm

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of include/uapi/linux/kvm.h without an argument.
const (
	kvmGetAPIVersion   = 0xae00
	kvmCreateVM        = 0xae01
	kvmGetVCPUMmapSize = 0xae04
	kvmCreateVCPU      = 0xae41
	kvmRun             = 0xae80

	apiVersion = 12 // the only one since Linux 2.6.22
)

// ioctl makes a call without an argument.
func ioctl(fd int, name string, req uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, 0)
	if errno != 0 {
		return 0, fmt.Errorf("%s: %w", name, errno)
	}
	return int(r), nil
}

// ioctlPtr makes a call whose argument is a struct.
func ioctlPtr(fd int, name string, req uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(arg))
	if errno != 0 {
		return fmt.Errorf("%s: %w", name, errno)
	}
	return nil
}

// newVM opens the device, checks its version and makes an empty VM.
func newVM() (dev, vm int, err error) {
	dev, err = unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("opening %s: %w", device, err)
	}
	version, err := ioctl(dev, "KVM_GET_API_VERSION", kvmGetAPIVersion)
	if err != nil {
		return 0, 0, err
	}
	if version != apiVersion {
		return 0, 0, fmt.Errorf("KVM_GET_API_VERSION: %d instead of %d", version, apiVersion)
	}
	vm, err = ioctl(dev, "KVM_CREATE_VM", kvmCreateVM)
	return dev, vm, err
}
