package ext4

import "encoding/binary"

// POSIX ACLs have one form in system calls (version 2: tag, permissions and id of each entry) and
// another on disk (version 1: no id where the tag needs none).
const (
	aclCallVersion = 2
	aclDiskVersion = 1

	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// aclHasID reports whether entries of a tag name a user or group; known is false for a tag that does not exist.
func aclHasID(tag uint16) (hasID, known bool) {
	switch tag {
	case aclUser, aclGroup:
		return true, true
	case aclUserObj, aclGroupObj, aclMask, aclOther:
		return false, true
	}
	return false, false
}

// aclToDisk converts the form of setxattr(2).
func aclToDisk(call []byte) (disk []byte, ok bool) {
	le := binary.LittleEndian
	if len(call)%8 != 4 || le.Uint32(call) != aclCallVersion {
		return nil, false
	}
	disk = le.AppendUint32(nil, aclDiskVersion)
	for e := call[4:]; len(e) > 0; e = e[8:] {
		hasID, known := aclHasID(le.Uint16(e))
		if !known {
			return nil, false
		}
		disk = append(disk, e[:4]...)
		if hasID {
			disk = append(disk, e[4:8]...)
		}
	}
	return disk, true
}

// aclFromDisk converts to the form of getxattr(2).
func aclFromDisk(disk []byte) (call []byte, ok bool) {
	le := binary.LittleEndian
	if len(disk) < 4 || le.Uint32(disk) != aclDiskVersion {
		return nil, false
	}
	call = le.AppendUint32(nil, aclCallVersion)
	for e := disk[4:]; len(e) > 0; {
		if len(e) < 4 {
			return nil, false
		}
		hasID, known := aclHasID(le.Uint16(e))
		if !known || hasID && len(e) < 8 {
			return nil, false
		}
		call = append(call, e[:4]...)
		if e = e[4:]; hasID {
			call = append(call, e[:4]...)
			e = e[4:]
		} else {
			call = le.AppendUint32(call, ^uint32(0))
		}
	}
	return call, true
}
