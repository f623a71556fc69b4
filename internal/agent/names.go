package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

// setNames tells the guest its own name and where names are resolved. An
// image that does not let its files be written keeps them: only the kernel's
// host name must be right.
func setNames(cfg wire.Config) error {
	if err := unix.Sethostname([]byte(cfg.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		complain(err)
		return nil
	}
	err := errors.Join(
		replace("/etc/hostname", cfg.Hostname+"\n"),
		setHosts(cfg.Hostname),
	)
	if cfg.Network != nil {
		var b strings.Builder
		for _, server := range cfg.Network.DNS {
			fmt.Fprintf(&b, "nameserver %s\n", server)
		}
		err = errors.Join(err, replace("/etc/resolv.conf", b.String()))
	}
	if err != nil {
		complain(err)
	}
	return nil
}

// setHosts gives /etc/hosts what it lacks: localhost and the guest's name.
func setHosts(hostname string) error {
	const path = "/etc/hosts"
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text := string(old)
	if !hasHost(text, "localhost") {
		text += "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	}
	if !hasHost(text, hostname) {
		text += "127.0.1.1\t" + hostname + "\n"
	}
	if text == string(old) {
		return nil
	}
	return replace(path, text)
}

func hasHost(hosts, name string) bool {
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		for i, f := range strings.Fields(line) {
			if i > 0 && f == name {
				return true
			}
		}
	}
	return false
}

// replace writes a regular file in place of whatever is at path, a symbolic
// link to nowhere for one.
func replace(path, text string) error {
	temp := path + ".banger"
	if err := os.WriteFile(temp, []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
