package kernelcat

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"banger/internal/kernelcat/archive"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
)

// unpacker takes a kernel out of packages.
type unpacker struct {
	ctxErr  func() error
	stage   *stage
	image   []byte // boot/vmlinuz-*
	release string // of the files' names
}

// unpack takes vmlinux, config and modules out of the packages into the
// stage and removes the packages.
func (s *Service) unpack(ctx context.Context, st *stage, packages []string) (vmlinux.Info, error) {
	u := unpacker{ctxErr: ctx.Err, stage: st}
	for _, name := range packages {
		if err := u.open(name); err != nil {
			return vmlinux.Info{}, err
		}
	}
	if u.image == nil {
		return vmlinux.Info{}, model.Errorf(model.CodeInvalid, "there is no kernel in it (boot/vmlinuz-*)")
	}
	info, err := st.addKernel(u.image)
	if err != nil {
		return vmlinux.Info{}, err
	}
	return info, os.RemoveAll(st.path(packagesDir))
}

func (u *unpacker) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening package: %w", err)
	}
	defer f.Close()
	return archive.Files(f, u.take)
}

// take keeps what belongs to a kernel and passes over the rest.
func (u *unpacker) take(f archive.File) error {
	if err := u.ctxErr(); err != nil {
		return err
	}
	name := strings.TrimPrefix(f.Name, "usr/")
	dir, base := path.Split(name)
	switch {
	case dir == "boot/" && strings.HasPrefix(base, "vmlinuz-"):
		return u.takeImage(f, strings.TrimPrefix(base, "vmlinuz-"))
	case dir == "boot/" && strings.HasPrefix(base, "config-"):
		return u.stage.write(ConfigFile, f.Body)
	case strings.HasPrefix(name, "lib/modules/"):
		release, rest, _ := strings.Cut(strings.TrimPrefix(name, "lib/modules/"), "/")
		if err := u.sameRelease(release); err != nil || rest == "" {
			return err
		}
		return u.stage.write(model.ModulesDir+"/"+rest, f.Body)
	}
	return nil
}

func (u *unpacker) takeImage(f archive.File, release string) error {
	if err := u.sameRelease(release); err != nil {
		return err
	}
	if u.image != nil {
		return model.Errorf(model.CodeIntegrity, "it has %s twice", f.Name)
	}
	if f.Size > vmlinux.MaxImage {
		return model.Errorf(model.CodeLimit, "%s has %d bytes: at most %d are allowed", f.Name, f.Size, vmlinux.MaxImage)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, f.Body); err != nil {
		return fmt.Errorf("reading %s: %w", f.Name, err)
	}
	u.image = b.Bytes()
	return nil
}

// sameRelease refuses packages of several kernels at once.
func (u *unpacker) sameRelease(release string) error {
	if u.release == "" {
		u.release = release
	}
	if release != u.release {
		return model.Errorf(model.CodeInvalid, "it has files of two kernels, %s and %s", u.release, release)
	}
	return nil
}
