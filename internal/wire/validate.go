package wire

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"banger/internal/model"
)

func invalid(format string, args ...any) error {
	return model.Errorf(model.CodeInvalid, format, args...)
}

// Validate checks all that can be checked without a guest. Both sides call
// it: the host before it sends, the agent on what it received.
func (r *ExecRequest) Validate() error {
	switch {
	case len(r.Argv) == 0 || r.Argv[0] == "":
		return invalid("no program to run")
	case len(r.Argv)+len(r.Env) > maxStrings:
		return invalid("more than %d arguments and variables", maxStrings)
	case len(r.User) > maxUser || hasNUL(r.User):
		return invalid("user %.40q is no user name", r.User)
	case r.WorkingDir != "" && (r.WorkingDir[0] != '/' || len(r.WorkingDir) > maxPath || hasNUL(r.WorkingDir)):
		return invalid("working directory %.80q is not an absolute path", r.WorkingDir)
	}
	for _, arg := range r.Argv {
		if hasNUL(arg) {
			return invalid("argument %.40q has a NUL byte", arg)
		}
	}
	for _, v := range r.Env {
		if strings.IndexByte(v, '=') < 1 || hasNUL(v) {
			return invalid("variable %.40q is not NAME=VALUE", v)
		}
	}
	return nil
}

// Validate checks all that can be checked without a guest.
func (c *Config) Validate() error {
	switch {
	case !validHostname(c.Hostname):
		return invalid("host name %.80q is not made of letters, digits, dots and dashes", c.Hostname)
	case c.Time < 0:
		return invalid("time %d is before 1970", c.Time)
	case len(c.Entropy) > maxEntropy:
		return invalid("%d bytes of entropy are over the limit of %d", len(c.Entropy), maxEntropy)
	}
	if err := validateDevice(c.Root.Device, c.Root.FSType); err != nil {
		return err
	}
	if err := validateMounts(c.Mounts); err != nil || c.Network == nil {
		return err
	}
	return c.Network.validate()
}

func (n *Network) validate() error {
	if _, err := netip.ParsePrefix(n.Address); err != nil {
		return invalid("address %.80q: %w", n.Address, err)
	}
	if len(n.DNS) > maxServers {
		return invalid("%d name servers are over the limit of %d", len(n.DNS), maxServers)
	}
	for _, addr := range n.addresses() {
		if _, err := netip.ParseAddr(addr); err != nil {
			return invalid("address %.80q: %w", addr, err)
		}
	}
	if n.MAC != "" {
		if _, err := net.ParseMAC(n.MAC); err != nil {
			return invalid("hardware address %.80q: %w", n.MAC, err)
		}
	}
	if n.MTU != 0 && (n.MTU < minMTU || n.MTU > maxMTU) {
		return invalid("MTU %d is not in %d to %d", n.MTU, minMTU, maxMTU)
	}
	return nil
}

// addresses are the gateway, if there is one, and the name servers.
func (n *Network) addresses() []string {
	if n.Gateway == "" {
		return n.DNS
	}
	return append([]string{n.Gateway}, n.DNS...)
}

// Grace returns the time that processes have to end.
func (s *Shutdown) Grace() time.Duration {
	return time.Duration(min(max(0, s.GraceMillis), maxGrace.Milliseconds())) * time.Millisecond
}

// Validate checks an answer of an agent, which is untrusted, and makes its
// texts printable.
func (h *Hello) Validate() error {
	if len(h.Marks) > maxMarks {
		return violation("%d marks", len(h.Marks))
	}
	texts := []*string{&h.AgentVersion, &h.Kernel, &h.BootID}
	for i := range h.Marks {
		texts = append(texts, &h.Marks[i].Name)
	}
	for _, s := range texts {
		if len(*s) > maxFact {
			return violation("text of %d bytes in hello", len(*s))
		}
		*s = model.Printable(*s)
	}
	return nil
}

// validHostname accepts what sethostname(2) and resolvers agree on.
func validHostname(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '-' || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }
