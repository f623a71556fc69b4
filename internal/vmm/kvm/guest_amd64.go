package kvm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of include/uapi/linux/kvm.h whose number holds their struct's size.
const (
	kvmSetUserMemoryRegion = 0x4020ae46
	kvmGetSupportedCPUID   = 0xc008ae05
	kvmSetCPUID2           = 0x4008ae90
	kvmGetSregs            = 0x8138ae83
	kvmSetSregs            = 0x4138ae84
	kvmSetRegs             = 0x4090ae82
)

// The guest's physical memory.
const (
	memorySize = 2 << 20 // one huge page, mapped 1:1
	dataAddr   = 0x3000
	codeAddr   = 0x1000
	pml4Addr   = 0x10000
	pdptAddr   = 0x11000
	pdAddr     = 0x12000
	gdtAddr    = 0x13000
	stackAddr  = 0x1ff000
)

const (
	codeSelector = 8
	dataSelector = 16
	result       = 0x88 // what the guest writes to its port in the end
)

// guestCode does what kernels do all the time: it stores to memory, writes a
// privileged register, reloads the page tables and loops.
func guestCode() []byte {
	code := []byte{
		0x48, 0xb8, result, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, // mov rax, 0x1122334455667788
		0x48, 0x89, 0x04, 0x25, 0x00, 0x30, 0x00, 0x00, // mov [dataAddr], rax
		0xb9, 0x00, 0x01, 0x00, 0xc0, // mov ecx, MSR_FS_BASE
		0x31, 0xd2, // xor edx, edx
		0xb8, 0x00, 0x30, 0x00, 0x00, // mov eax, dataAddr
		0x0f, 0x30, // wrmsr
		0x0f, 0x20, 0xd8, // mov rax, cr3
		0x0f, 0x22, 0xd8, // mov cr3, rax
		0x64, 0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x00, 0x00, // mov rax, fs:[0]
		0xb9, // mov ecx, loopTurns
	}
	code = binary.LittleEndian.AppendUint32(code, loopTurns)
	return append(code,
		0xff, 0xc9, // 1: dec ecx
		0x75, 0xfc, // jnz 1b
		0xe6, 0x10, // out 0x10, al
		0xf4) // hlt
}

// fillMemory writes the code, page tables for the first 2 MiB and a GDT.
func fillMemory(mem []byte) {
	const present, writable, huge = 1, 2, 0x80
	put := binary.LittleEndian.PutUint64
	copy(mem[codeAddr:], guestCode())
	put(mem[pml4Addr:], pdptAddr|present|writable)
	put(mem[pdptAddr:], pdAddr|present|writable)
	put(mem[pdAddr:], huge|present|writable)
	put(mem[gdtAddr+codeSelector:], 0x00af9b000000ffff) // 64-bit code
	put(mem[gdtAddr+dataSelector:], 0x00cf93000000ffff) // flat data
}

// runGuest runs guestCode in long mode and checks what it computed.
func runGuest() error {
	dev, vm, err := newVM()
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(-1, 0, memorySize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping guest memory: %w", err)
	}
	fillMemory(mem)
	region := memoryRegion{size: memorySize, userAddr: uint64(uintptr(unsafe.Pointer(&mem[0])))}
	if err := ioctlPtr(vm, "KVM_SET_USER_MEMORY_REGION", kvmSetUserMemoryRegion, unsafe.Pointer(&region)); err != nil {
		return err
	}
	vcpu, err := ioctl(vm, "KVM_CREATE_VCPU", kvmCreateVCPU)
	if err != nil {
		return err
	}
	if err := setRegisters(dev, vcpu); err != nil {
		return err
	}
	size, err := ioctl(dev, "KVM_GET_VCPU_MMAP_SIZE", kvmGetVCPUMmapSize)
	if err != nil {
		return err
	}
	shared, err := unix.Mmap(vcpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the vCPU: %w", err)
	}
	return runUntilOut(vcpu, shared)
}

// runUntilOut runs the vCPU up to its port write. The layout of shared is
// struct kvm_run.
func runUntilOut(vcpu int, shared []byte) error {
	const exitIO = 2
	for {
		_, err := ioctl(vcpu, "KVM_RUN", kvmRun)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return err
		}
		if reason := binary.LittleEndian.Uint32(shared[8:]); reason != exitIO {
			return fmt.Errorf("KVM_RUN: exit reason %d", reason)
		}
		offset := binary.LittleEndian.Uint64(shared[40:])
		if offset >= uint64(len(shared)) || shared[offset] != result {
			return errors.New("KVM_RUN: the guest computed something wrong")
		}
		return nil
	}
}

// setRegisters puts the vCPU into long mode at codeAddr.
func setRegisters(dev, vcpu int) error {
	cpuid := cpuidTable{count: maxCPUID}
	if err := ioctlPtr(dev, "KVM_GET_SUPPORTED_CPUID", kvmGetSupportedCPUID, unsafe.Pointer(&cpuid)); err != nil {
		return err
	}
	if err := ioctlPtr(vcpu, "KVM_SET_CPUID2", kvmSetCPUID2, unsafe.Pointer(&cpuid)); err != nil {
		return err
	}
	var s systemRegs
	if err := ioctlPtr(vcpu, "KVM_GET_SREGS", kvmGetSregs, unsafe.Pointer(&s)); err != nil {
		return err
	}
	s.enterLongMode()
	if err := ioctlPtr(vcpu, "KVM_SET_SREGS", kvmSetSregs, unsafe.Pointer(&s)); err != nil {
		return err
	}
	r := generalRegs{rsp: stackAddr, rip: codeAddr, rflags: 2}
	return ioctlPtr(vcpu, "KVM_SET_REGS", kvmSetRegs, unsafe.Pointer(&r))
}
