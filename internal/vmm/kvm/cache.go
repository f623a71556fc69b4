package kvm

import (
	"bytes"
	"encoding/json"
	"os"

	"github.com/google/renameio/v2"
)

// record is the cache file. Version changes when the measurement does.
type record struct {
	Version int     `json:"version"`
	BootID  string  `json:"boot_id"`
	Verdict Verdict `json:"verdict"`
}

const recordVersion = 1

// load returns the verdict that was measured since this boot. A file that
// cannot be read counts as absent: measuring again is always right.
func load(file, boot string) (Verdict, bool) {
	if file == "" || boot == "" {
		return Verdict{}, false
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return Verdict{}, false
	}
	var r record
	if json.Unmarshal(b, &r) != nil || r.Version != recordVersion || r.BootID != boot {
		return Verdict{}, false
	}
	return r.Verdict, true
}

// save keeps v. Failing costs no more than the next measurement.
func save(file, boot string, v Verdict) {
	if file == "" || boot == "" {
		return
	}
	b, err := json.Marshal(record{Version: recordVersion, BootID: boot, Verdict: v})
	if err == nil {
		_ = renameio.WriteFile(file, append(b, '\n'), 0o600)
	}
}

// bootID is the kernel's id of this boot, "" when it does not say.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}
