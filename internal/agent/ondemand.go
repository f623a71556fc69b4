package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// modprobeFile names the program that the kernel runs to have a module loaded
// (kernel/umh.c, __request_module). This program is it: images need none.
const (
	modprobeFile = "/proc/sys/kernel/modprobe"
	ownProgram   = "/proc/1/exe"
)

// offerModules mounts the disk with the kernel's modules where programs look
// for them, and makes the kernel load from there what it is asked for. "" is no
// disk. Nothing is loaded yet: a guest that needs none pays for a mount.
func offerModules(ctx context.Context, device string) error {
	if device == "" {
		return nil
	}
	if err := awaitDevice(ctx, device); err != nil {
		return err
	}
	dir, err := releaseDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the directory of modules: %w", err)
	}
	if err := mount(device, dir, "ext4", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return err
	}
	return errors.Join(makeNodes(path.Join(dir, "modules.devname")), os.WriteFile(modprobeFile, []byte(ownProgram), 0))
}

// releaseDir is where the modules of the running kernel belong.
func releaseDir() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	if release == "" || strings.ContainsAny(release, "/") || strings.HasPrefix(release, ".") {
		return "", fmt.Errorf("the kernel calls itself %q", release)
	}
	return "/lib/modules/" + release, nil
}

// makeNodes makes the devices whose first use loads their module: who opens
// one that is not there never asks the kernel.
func makeNodes(list string) error {
	text, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range bytes.Lines(text) {
		var module, node string
		var kind rune
		var major, minor uint32
		if n, _ := fmt.Sscanf(string(line), "%s %s %c%d:%d", &module, &node, &kind, &major, &minor); n != 5 || !fs.ValidPath(node) {
			continue
		}
		err = errors.Join(err, makeNode("/dev/"+node, kind, unix.Mkdev(major, minor)))
	}
	return err
}

func makeNode(name string, kind rune, number uint64) error {
	mode := map[rune]uint32{'c': unix.S_IFCHR, 'b': unix.S_IFBLK}[kind]
	if err := os.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := unix.Mknod(name, mode|0o600, int(number)); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "mknod", Path: name, Err: err}
	}
	return nil
}

// ModuleRequest tells whether args are those with which the kernel asks for a
// module: modprobe -q -- NAME.
func ModuleRequest(args []string) (name string, ok bool) {
	if len(args) != 4 || args[1] != "-q" || args[2] != "--" {
		return "", false
	}
	return args[3], true
}

// LoadOnRequest loads the modules that name means and what they need. It is
// called in a process of its own, as the kernel's helper.
func LoadOnRequest(name string) error {
	dir, err := releaseDir()
	if err != nil {
		return err
	}
	modules, err := modulesFor(os.DirFS(dir), name)
	if err != nil {
		return err
	}
	for _, module := range modules {
		if err := loadModule(path.Join(dir, module)); err != nil {
			return err
		}
	}
	return nil
}

// modulesFor returns the files to load for a module's name or alias, in
// order; fs.ErrNotExist when nothing answers to it.
func modulesFor(tree fs.FS, name string) ([]string, error) {
	wanted, err := moduleNames(tree, name)
	if err != nil {
		return nil, err
	}
	var files []string
	err = eachIndexLine(tree, "modules.dep", func(line string) {
		file, needs, ok := strings.Cut(line, ":")
		if !ok || !wanted[moduleName(file)] {
			return
		}
		chain := append([]string{file}, strings.Fields(needs)...)
		for i := len(chain) - 1; i >= 0; i-- { // what is needed first stands last
			files = append(files, chain[i])
		}
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("module %q: %w", name, fs.ErrNotExist)
	}
	return files, err
}

// moduleNames returns the names of the modules that answer to name.
func moduleNames(tree fs.FS, name string) (map[string]bool, error) {
	names := map[string]bool{underscored(name): true}
	err := eachIndexLine(tree, "modules.alias", func(line string) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "alias" {
			return
		}
		if match, err := path.Match(underscored(fields[1]), underscored(name)); err == nil && match {
			names[fields[2]] = true
		}
	})
	return names, err
}

func eachIndexLine(tree fs.FS, name string, visit func(line string)) error {
	f, err := tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		visit(lines.Text())
	}
	return lines.Err()
}

// moduleName is the name of the module in a file.
func moduleName(file string) string {
	return underscored(strings.TrimSuffix(path.Base(file), ".ko"))
}

// underscored is a name as modules are compared by: '-' is '_' but between
// brackets, where it is a range.
func underscored(s string) string {
	depth := 0
	return strings.Map(func(r rune) rune {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '-' && depth == 0:
			return '_'
		}
		return r
	}, s)
}
