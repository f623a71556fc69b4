package dockerfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// keyVersion changes when the same instruction makes something else.
const keyVersion = "2"

// Step is all that the result of an instruction depends on.
type Step struct {
	Parent  string // digest of the image before it
	Text    string // the instruction, expanded as far as the step does it
	Files   string // digest of what it copies, or ""
	Network string // of a RUN
	// State is what a RUN sees; nil of an instruction that sees nothing of it.
	State *State
}

// Key identifies the result of a step. Every part has its length before it, so
// that no two steps run together to the same key.
func (s Step) Key() string {
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
	put(keyVersion, s.Parent, s.Text, s.Files, s.Network)
	if s.State != nil {
		put(s.State.Config.User, s.State.Config.WorkingDir)
		for _, list := range [][]string{s.State.Config.Env, s.State.Shell} {
			put(fmt.Sprint(len(list)))
			put(list...)
		}
		for _, name := range slices.Sorted(maps.Keys(s.State.Args)) {
			put(name, s.State.Args[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
