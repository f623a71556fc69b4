package kernelcat

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"banger/internal/kernelcat/archive"
	"banger/internal/kernelcat/artifact"
	"banger/internal/kernelcat/decompress"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
)

// unpacker takes a kernel out of packages, bundles and layers.
type unpacker struct {
	ctxErr  func() error
	stage   *stage
	image   []byte // boot/vmlinuz-*
	release string // of the files' names
}

// unpack takes vmlinux, config, initrd and modules out of what a source
// brought into the stage and removes the downloads.
func (s *Service) unpack(ctx context.Context, st *stage, got fetched) (vmlinux.Info, error) {
	u := unpacker{ctxErr: ctx.Err, stage: st}
	for _, name := range got.files {
		if err := u.open(name); err != nil {
			return vmlinux.Info{}, err
		}
	}
	if err := u.layers(got.parts); err != nil {
		return vmlinux.Info{}, err
	}
	if u.image == nil {
		return vmlinux.Info{}, model.Errorf(model.CodeInvalid, "there is no kernel in it (vmlinux, boot/vmlinuz-*)")
	}
	info, err := st.addKernel(u.image)
	if err != nil {
		return vmlinux.Info{}, err
	}
	return info, os.RemoveAll(st.path(packagesDir))
}

// open reads one file: an archive, or else a kernel.
func (u *unpacker) open(name string) error {
	f, err := openRegular(name)
	if err != nil {
		return err
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 64<<10)
	head, err := br.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if archive.Is(head) {
		return archive.Files(br, u.take)
	}
	return u.takeImage(name, br)
}

// layers takes an artifact's parts.
func (u *unpacker) layers(parts map[string]string) error {
	for kind, take := range map[string]func(io.Reader) error{
		artifact.VmlinuxType: func(r io.Reader) error { return u.takeImage(model.VmlinuxFile, r) },
		artifact.BuildType:   func(r io.Reader) error { return u.stage.write(ConfigFile, r) },
		artifact.InitrdType:  func(r io.Reader) error { return u.stage.write(model.InitrdFile, r) },
		artifact.ModulesType: func(r io.Reader) error { return archive.Files(r, u.take) },
	} {
		if name, ok := parts[kind]; ok {
			if err := readZstd(name, take); err != nil {
				return err
			}
		}
	}
	return nil
}

// readZstd gives take the plain bytes of a file.
func readZstd(name string, take func(io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening a layer: %w", err)
	}
	defer f.Close()
	r, err := decompress.NewReader(decompress.Zstd, f)
	if err != nil {
		return model.Errorf(model.CodeIntegrity, "unpacking a layer: %w", err)
	}
	defer r.Close()
	return take(layerReader{r})
}

// layerReader says of a fault that it is the layer's.
type layerReader struct{ r io.Reader }

func (l layerReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = model.Errorf(model.CodeIntegrity, "unpacking a layer: %w", err)
	}
	return n, err
}

// take keeps what belongs to a kernel and passes over the rest. Packages of
// distributions have boot/ and lib/modules/<release>/, bundles the names of a
// kernel's directory.
func (u *unpacker) take(f archive.File) error {
	if err := u.ctxErr(); err != nil {
		return err
	}
	name := strings.TrimPrefix(f.Name, "usr/")
	dir, base := path.Split(name)
	switch {
	case dir == "boot/" && strings.HasPrefix(base, "vmlinuz-"), name == "vmlinuz", name == model.VmlinuxFile:
		return u.takeImage(f.Name, f.Body)
	case dir == "boot/" && strings.HasPrefix(base, "config-"), name == ConfigFile:
		return u.stage.write(ConfigFile, f.Body)
	case name == model.InitrdFile:
		return u.stage.write(model.InitrdFile, f.Body)
	case strings.HasPrefix(name, model.ModulesDir+"/"):
		return u.stage.write(name, f.Body)
	case strings.HasPrefix(name, "lib/modules/"):
		release, rest, _ := strings.Cut(strings.TrimPrefix(name, "lib/modules/"), "/")
		return u.takeModules(f, release, rest)
	}
	return nil
}

// takeModules takes one file of lib/modules/<release>, where RPM packages keep
// the kernel too.
func (u *unpacker) takeModules(f archive.File, release, rest string) error {
	if u.release == "" {
		u.release = release
	}
	switch {
	case release != u.release:
		return model.Errorf(model.CodeInvalid, "it has files of two kernels, %s and %s", u.release, release)
	case rest == "":
		return nil
	case rest == "vmlinuz":
		return u.takeImage(f.Name, f.Body)
	case rest == "config":
		return u.stage.write(ConfigFile, f.Body)
	}
	return u.stage.write(model.ModulesDir+"/"+rest, f.Body)
}

func (u *unpacker) takeImage(name string, r io.Reader) error {
	if u.image != nil {
		return model.Errorf(model.CodeIntegrity, "it has %s and another kernel", name)
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, vmlinux.MaxImage+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if n > vmlinux.MaxImage {
		return model.Errorf(model.CodeLimit, "%s has more than %d bytes", name, vmlinux.MaxImage)
	}
	u.image = b.Bytes()
	return nil
}
