package kernelcat

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/artifact"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

// PushKernel writes a kernel to a registry.
//
//	step      what                                              on disk after
//	find      on this host, with its files                      -
//	lock      it is not deleted meanwhile                       -
//	compress  vmlinux, config, initrd, modules as zstd          Cache/push-*
//	send      layers, config, at last the manifest              -
//
// The files of the compress step are removed whatever happens; those that a
// crash leaves by Recover.
func (s *Service) PushKernel(ctx context.Context, p rpc.KernelPushParams, report model.Report) (model.KernelArtifact, error) {
	if s.cfg.Artifacts == nil {
		return model.KernelArtifact{}, model.Errorf(model.CodeUnsupported, "kernels cannot be pushed to registries here")
	}
	name, err := s.nameOrDefault(p.Name)
	if err != nil {
		return model.KernelArtifact{}, err
	}
	ref, err := artifact.ParseReference(p.Ref)
	if err != nil {
		return model.KernelArtifact{}, err
	}
	if _, err := s.ShowKernel(ctx, rpc.NameParams{Name: name}); err != nil {
		return model.KernelArtifact{}, err
	}
	return operation.Do(ctx, s.cfg.Operations, "kernel.push", name, report,
		func(ctx context.Context, op *operation.Op) (model.KernelArtifact, error) {
			digest, err := s.push(ctx, op, name, p.Ref)
			return model.KernelArtifact{Kernel: name, Ref: ref.Context().Name() + "@" + digest, Digest: digest}, err
		})
}

func (s *Service) push(ctx context.Context, op *operation.Op, name, ref string) (string, error) {
	op.Stage("lock")
	unlock, err := s.cfg.Operations.Lock(ctx, lockKey(name))
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := failpoint.Hit(ctx, "kernel.push/locked"); err != nil {
		return "", err
	}
	k, err := s.local(ctx, name)
	if err != nil {
		return "", err
	}
	op.Stage("compress")
	dir, err := s.cacheTemp(pushPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) // Recover removes what this cannot
	parts, err := compressParts(ctx, k, dir)
	if err != nil {
		return "", fmt.Errorf("compressing kernel %s: %w", name, err)
	}
	if err := failpoint.Hit(ctx, "kernel.push/compressed"); err != nil {
		return "", err
	}
	op.Stage("send")
	info := artifact.Info{Name: k.Name, Version: k.Version, Arch: k.Arch, Distro: k.Distro, Flavour: k.Flavour, Has: k.Has}
	digest, err := s.cfg.Artifacts.Push(ctx, ref, info, parts, func(text string) { op.Report(model.Progress{Note: text}) })
	if err != nil {
		return "", err
	}
	return digest, failpoint.Hit(ctx, "kernel.push/sent")
}

// pushPrefix begins the names of directories below the cache in which kernels
// are compressed.
const pushPrefix = "push-"

// compressParts writes the layers of k below dir. Equal kernels give equal
// bytes.
func compressParts(ctx context.Context, k model.Kernel, dir string) ([]artifact.Part, error) {
	var parts []artifact.Part
	for _, p := range []struct {
		file, kind string
		write      func(context.Context, io.Writer, string) error
	}{
		{model.VmlinuxFile, artifact.VmlinuxType, copyFrom},
		{ConfigFile, artifact.BuildType, copyFrom},
		{model.InitrdFile, artifact.InitrdType, copyFrom},
		{model.ModulesDir, artifact.ModulesType, tarModules},
	} {
		from := filepath.Join(k.Dir, p.file)
		if !exists(from) {
			continue
		}
		to := filepath.Join(dir, p.file+".zst")
		if err := compressFile(to, func(w io.Writer) error { return p.write(ctx, w, from) }); err != nil {
			return nil, err
		}
		parts = append(parts, artifact.Part{MediaType: p.kind, Path: to})
	}
	return parts, nil
}

// compressFile makes a zstd file of what write writes.
func compressFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(write(z), z.Close(), f.Close())
}

func copyFrom(ctx context.Context, w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// tarModules writes the regular files below dir as modules/..., in the order
// of their names, with nothing of this host about them.
func tarModules(ctx context.Context, w io.Writer, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tw := tar.NewWriter(w)
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return tarFile(tw, root, name)
	})
	return errors.Join(err, tw.Close())
}

func tarFile(tw *tar.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: model.ModulesDir + "/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: info.Size(), Format: tar.FormatPAX}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}
