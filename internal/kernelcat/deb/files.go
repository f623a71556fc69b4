package deb

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/kernelcat/decompress"
	"banger/internal/model"
)

// Limits of one package: many times what the largest kernel packages need.
const (
	MaxEntries   = 200_000
	MaxDataBytes = 8 << 30 // data.tar, unpacked
)

// File is one regular file of a package.
type File struct {
	Name string // slash-separated, clean, relative to the root
	Size int64
	Body io.Reader // valid during the call
}

// Files calls fn for each regular file of the package in r, in the package's
// order. Directories, links and devices are passed over: nothing here may
// point anywhere. An error of fn ends it. Damage and hostile names are
// CodeIntegrity, a package beyond the limits CodeLimit.
func Files(r io.Reader, fn func(File) error) error {
	data, err := openData(r)
	if err != nil {
		return err
	}
	defer data.Close()
	limited := &io.LimitedReader{R: data, N: MaxDataBytes}
	err = walk(tar.NewReader(limited), fn)
	if limited.N <= 0 {
		return model.Errorf(model.CodeLimit, "the package unpacks to more than %d bytes", int64(MaxDataBytes))
	}
	return err
}

// openData finds data.tar and returns its plain bytes.
func openData(r io.Reader) (io.ReadCloser, error) {
	ar, err := newArReader(r)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(ar); err != nil {
		return nil, err
	}
	for {
		m, err := ar.next()
		if errors.Is(err, io.EOF) {
			return nil, model.Errorf(model.CodeIntegrity, "damaged package: it has no data.tar")
		}
		if err != nil {
			return nil, damaged(err)
		}
		if m.name == "data.tar" || strings.HasPrefix(m.name, "data.tar.") {
			return plain(m.body)
		}
	}
}

// checkVersion reads the first member: a format of 2.x.
func checkVersion(ar *arReader) error {
	m, err := ar.next()
	if err != nil {
		return damaged(err)
	}
	version := make([]byte, 2)
	if _, err := io.ReadFull(m.body, version); m.name != "debian-binary" || err != nil || string(version) != "2." {
		return model.Errorf(model.CodeIntegrity, "this is no Debian package of format 2")
	}
	return nil
}

// plain undoes the compression that the first bytes tell.
func plain(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(decompress.MagicSize)
	if err != nil {
		return nil, damaged(unexpected(err))
	}
	format := decompress.Detect(head)
	if format == "" {
		return io.NopCloser(br), nil
	}
	d, err := decompress.NewReader(format, br)
	if err != nil {
		return nil, damaged(err)
	}
	return d, nil
}

func walk(tr *tar.Reader, fn func(File) error) error {
	for range MaxEntries {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		name, err := cleanName(h.Name)
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body := &bodyReader{r: tr}
		if err := fn(File{Name: name, Size: h.Size, Body: body}); err != nil {
			return body.blame(err)
		}
	}
	return model.Errorf(model.CodeLimit, "the package has more than %d entries", MaxEntries)
}

// cleanName refuses names that are absolute or lead out of the root.
func cleanName(name string) (string, error) {
	clean := path.Clean(name)
	if !filepath.IsLocal(clean) || strings.Contains(name, "\x00") || len(name) > 4096 {
		return "", model.Errorf(model.CodeIntegrity, "the package holds the name %.100q, which leads outside of it", name)
	}
	return clean, nil
}

// bodyReader remembers a fault of the package, so that it is told from a
// fault of whoever reads the file.
type bodyReader struct {
	r   io.Reader
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func (b *bodyReader) blame(err error) error {
	if b.err != nil && errors.Is(err, b.err) {
		return damaged(err)
	}
	return err
}

// damaged says that the package is at fault, unless err says what is.
func damaged(err error) error {
	var known *model.Error
	if errors.As(err, &known) {
		return err
	}
	return model.Errorf(model.CodeIntegrity, "reading damaged package: %w", err)
}
