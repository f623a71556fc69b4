package imagepull_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
)

// store writes layers to where they can be pulled from: one as an archive or
// each in an image layout.
func (run *attackRun) store(place string, layers [][]byte) (ref string, clean func()) {
	dir, err := os.MkdirTemp(run.r.dir, "source-")
	if err != nil {
		run.t.Error(err)
	}
	clean = func() { _ = os.RemoveAll(dir) }
	if strings.HasSuffix(place, "archive") {
		file := filepath.Join(dir, "root.tar")
		if err := os.WriteFile(file, layers[0], 0o600); err != nil {
			run.t.Error(err)
		}
		return "tar:" + file, clean
	}
	l := &layoutDir{t: run.t, dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		run.t.Error(err)
	}
	var descriptors []any
	var archives [][]byte
	for _, b := range layers {
		descriptors = append(descriptors, l.blob(ociLayer, b))
		archives = append(archives, unpackedBytes(b))
	}
	config := l.json(ociConfig, l.config("amd64", archives...))
	l.index(l.json(ociManifest, object{"schemaVersion": 2, "config": config, "layers": descriptors}))
	return "oci:" + dir, clean
}

// note remembers an outcome. Names of this run's own are taken out of errors.
func (run *attackRun) note(place, name, path string, err error) {
	outcome := ""
	if err != nil {
		outcome = strings.ReplaceAll(err.Error(), run.r.dir, "")
	} else {
		outcome = sumOf(run.t, path)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	run.got[place+": "+name] = outcome
}

// listImage shows the tree of a file system as list does that of nodes.
func listImage(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	image, err := ext4.Open(f)
	if err != nil {
		t.Error(err)
		return ""
	}
	var b strings.Builder
	err = image.Walk(context.Background(), func(name string, n *ext4.Inode) error {
		switch name {
		case "/":
			return nil
		case "/lost+found":
			return fs.SkipDir
		}
		node, content, err := nodeOf(n)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", name, describeWith(node, content))
		if n.Links > 1 && !n.IsDir() {
			b.WriteString(" #0")
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// nodeOf reads an inode back into what it was made of.
func nodeOf(n *ext4.Inode) (*ext4.Node, []byte, error) {
	xattrs, err := n.Xattrs()
	if err != nil {
		return nil, nil, err
	}
	node := &ext4.Node{Mode: n.Mode, UID: n.UID, GID: n.GID, Major: n.Major, Minor: n.Minor, Xattrs: xattrs}
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		node.Link, err = n.Readlink()
		return node, nil, err
	case unix.S_IFREG:
		r, err := n.Open()
		if err != nil {
			return nil, nil, err
		}
		content, err := io.ReadAll(r)
		return node, content, err
	}
	return node, nil, nil
}

// unpackedBytes is the archive in a blob, or the blob when it has none: what a
// diff_id is taken of. It takes the plain decoders' word.
func unpackedBytes(b []byte) []byte {
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		r, err = gzip.NewReader(bytes.NewReader(b))
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")) || bytes.HasPrefix(b, []byte("\x50\x2a\x4d\x18")):
		var d *zstd.Decoder
		if d, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1)); err == nil {
			defer d.Close()
			r = d
		}
	default:
		return b
	}
	if err != nil {
		return b
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return b
	}
	return plain
}

// sumOf is the digest of a file that is mostly holes: of the places and the
// contents of its data.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	for from, to := int64(0), int64(0); ; from = to {
		if from, err = f.Seek(from, unix.SEEK_DATA); err != nil {
			break // no more data
		}
		if to, err = f.Seek(from, unix.SEEK_HOLE); err != nil {
			break
		}
		hashBlocks(sum, io.NewSectionReader(f, from, to-from), from)
	}
	if !errors.Is(err, unix.ENXIO) {
		t.Error(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// hashBlocks hashes the blocks that are not zero with their places: whether
// zeros lie in a hole is the host's affair.
func hashBlocks(sum io.Writer, r io.Reader, at int64) {
	var block, zero [4096]byte
	for ; ; at += int64(len(block)) {
		n, err := io.ReadFull(r, block[:])
		if !bytes.Equal(block[:n], zero[:n]) {
			fmt.Fprint(sum, at, " ")
			_, _ = sum.Write(block[:n])
		}
		if err != nil {
			return
		}
	}
}
