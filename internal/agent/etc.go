package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	maxEtc  = 1 << 20 // bytes of an existing file that are looked at
	newName = ".banger-new"
)

// writeEtc writes the name of the host and the name servers below dir, the
// image's /etc. Files that are right already are left alone; links are
// replaced, not followed. All is tried; errors are joined.
func writeEtc(dir string, cfg wire.Config) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	err := errors.Join(
		rewrite(dir+"/hostname", func(string) string { return cfg.Hostname + "\n" }),
		rewrite(dir+"/hosts", func(old string) string { return hosts(old, cfg) }),
	)
	if cfg.Network == nil || len(cfg.Network.DNS) == 0 {
		return err
	}
	return errors.Join(err, rewrite(dir+"/resolv.conf", func(string) string { return resolvConf(cfg.Network.DNS) }))
}

// hosts returns old, hosts(5), with the host's own name in it.
func hosts(old string, cfg wire.Config) string {
	const localhost = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	names, empty := map[string]bool{}, true
	for line := range strings.Lines(old) {
		text, _, _ := strings.Cut(line, "#")
		for _, name := range strings.Fields(text) {
			names[name], empty = true, false
		}
	}
	if empty {
		old += localhost
	}
	if names[cfg.Hostname] {
		return old
	}
	if old != "" && !strings.HasSuffix(old, "\n") {
		old += "\n"
	}
	return old + ownAddress(cfg.Network) + "\t" + cfg.Hostname + "\n"
}

// ownAddress is what the host's own name stands for: with no card, Debian's
// custom of an address of the loopback that is not localhost's.
func ownAddress(n *wire.Network) string {
	if n != nil {
		if p, err := netip.ParsePrefix(n.Address); err == nil {
			return p.Addr().String()
		}
	}
	return "127.0.1.1"
}

// resolvConf is resolv.conf(5) with these name servers.
func resolvConf(servers []string) string {
	var b strings.Builder
	for _, s := range servers {
		b.WriteString("nameserver " + s + "\n")
	}
	return b.String()
}

// rewrite replaces the file at path by what edit makes of it. Anything but a
// regular file counts as empty.
func rewrite(path string, edit func(old string) string) error {
	old, have := readOld(path)
	text := edit(old)
	if have && text == old {
		return nil
	}
	f, err := os.OpenFile(path+newName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+newName, path)
	}
	if err != nil {
		_ = os.Remove(path + newName)
	}
	return err
}

// readOld returns the content of a regular file, not through a link.
func readOld(path string) (text string, ok bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEtc {
		return "", false
	}
	b, err := os.ReadFile(path)
	return string(b), err == nil
}
