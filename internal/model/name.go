package model

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
)

// MaxNameLength is the longest name of an image, kernel or VM in bytes: the
// longest DNS label, since a VM's name is its host name.
const MaxNameLength = 63

var (
	vmNameRE     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	objectNameRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)
)

// ValidateVMName checks that name is a DNS label (RFC 1123): lower-case
// letters, digits and inner hyphens, at most 63 bytes.
func ValidateVMName(name string) error {
	return validateName("VM", vmNameRE, "a-z, 0-9 and inner '-'", name)
}

// ValidateObjectName checks the name of an image or a kernel: lower-case
// letters, digits and inner '.', '_', '-', at most 63 bytes; ".." is refused,
// so that a name is always safe as a file name.
func ValidateObjectName(noun, name string) error {
	if strings.Contains(name, "..") {
		return Errorf(CodeInvalid, "%s name %q: '..' is not allowed", noun, name)
	}
	return validateName(noun, objectNameRE, "a-z, 0-9 and inner '.', '_', '-'", name)
}

func validateName(noun string, re *regexp.Regexp, rule, name string) error {
	switch {
	case name == "":
		return Errorf(CodeInvalid, "%s name is empty", noun)
	case len(name) > MaxNameLength:
		return Errorf(CodeInvalid, "%s name %.20q... has %d bytes: at most %d are allowed", noun, name, len(name), MaxNameLength)
	case !re.MatchString(name):
		return Errorf(CodeInvalid, "%s name %q: only %s are allowed", noun, name, rule)
	}
	return nil
}

// NewID returns a fresh random object id: 16 lower-case hex digits (64 bits).
func NewID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	return hex.EncodeToString(b[:])
}

// IsID says whether s has the form of an id made by NewID.
func IsID(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 8 && s == strings.ToLower(s)
}
