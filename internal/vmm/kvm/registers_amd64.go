package kvm

// The structs of include/uapi/linux/kvm.h and arch/x86/include/uapi/asm/kvm.h.

// memoryRegion is struct kvm_userspace_memory_region.
type memoryRegion struct {
	slot, flags               uint32
	guestAddr, size, userAddr uint64
}

const maxCPUID = 256

// cpuidTable is struct kvm_cpuid2 with room for maxCPUID entries.
type cpuidTable struct {
	count, _ uint32
	entries  [maxCPUID][40]byte
}

// segment is struct kvm_segment.
type segment struct {
	base                           uint64
	limit                          uint32
	selector                       uint16
	typ, present, dpl, db, s, l, g uint8
	avl, unusable, _               uint8
}

// descriptorTable is struct kvm_dtable.
type descriptorTable struct {
	base  uint64
	limit uint16
	_     [3]uint16
}

// systemRegs is struct kvm_sregs.
type systemRegs struct {
	cs, ds, es, fs, gs, ss, tr, ldt segment
	gdt, idt                        descriptorTable
	cr0, cr2, cr3, cr4, cr8, efer   uint64
	apicBase                        uint64
	interrupts                      [4]uint64
}

// generalRegs is struct kvm_regs.
type generalRegs struct {
	rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp uint64
	r8, r9, r10, r11, r12, r13, r14, r15   uint64
	rip, rflags                            uint64
}

// enterLongMode sets what Intel's manual (volume 3, section 10.8.5) asks of
// a CPU in 64-bit mode.
func (s *systemRegs) enterLongMode() {
	data := segment{limit: 0xffffffff, selector: dataSelector, typ: 3, present: 1, db: 1, s: 1, g: 1}
	s.ds, s.es, s.fs, s.gs, s.ss = data, data, data, data, data
	s.cs = segment{limit: 0xffffffff, selector: codeSelector, typ: 11, present: 1, s: 1, l: 1, g: 1}
	s.gdt = descriptorTable{base: gdtAddr, limit: 23}
	s.cr0 = 0x80050033 // PG AM WP NE ET MP PE
	s.cr3 = pml4Addr
	s.cr4 = 0x20   // PAE
	s.efer = 0x500 // LME LMA
}
