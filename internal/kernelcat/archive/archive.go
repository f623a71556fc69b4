package archive

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path"
	"path/filepath"
	"strings"

	"banger/internal/kernelcat/decompress"
	"banger/internal/model"
)

// Limits of one archive: many times what the largest kernel packages need.
const (
	MaxEntries   = 200_000
	MaxDataBytes = 8 << 30 // of the files' archive, unpacked
)

// File is one regular file of an archive.
type File struct {
	Name string // slash-separated, clean, relative to the root
	Size int64
	Body io.Reader // valid during the call
}

// headSize is how many bytes tell any of the formats: a tar header's magic
// ends at 263.
const headSize = 264

// Files calls fn for each regular file of the archive in r, in its order.
// Directories, links and devices are passed over: nothing here may point
// anywhere. An error of fn ends it. What is no archive is CodeInvalid, damage
// and hostile names are CodeIntegrity, an archive beyond the limits CodeLimit.
func Files(r io.Reader, fn func(File) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	var data io.ReadCloser
	switch {
	case isDeb(head):
		data, err = openDeb(br)
	case isRPM(head):
		data, err = openRPM(br)
	case isPlain(head) || decompress.Detect(head) != "":
		data, err = plain(br)
	default:
		return model.Errorf(model.CodeInvalid, "this is no archive or package: tar, .deb, .rpm and .apk can be read")
	}
	if err != nil {
		return err
	}
	defer data.Close()
	return walk(data, fn)
}

// Is tells whether head, the first bytes of a file, are those of an archive
// that Files reads, or of something compressed that may be one.
func Is(head []byte) bool {
	return isDeb(head) || isRPM(head) || isPlain(head) || decompress.Detect(head) != ""
}

func isPlain(head []byte) bool { return isTar(head) || isCPIO(head) }

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

// entries are an archive's, in order.
type entries interface {
	// next returns the next regular file, io.EOF after the last one. Others
	// are returned with a nil Body.
	next() (File, error)
}

// walk reads a plain archive, tar or cpio.
func walk(data io.Reader, fn func(File) error) error {
	limited := &io.LimitedReader{R: data, N: MaxDataBytes}
	br := bufio.NewReaderSize(limited, 64<<10)
	head, err := br.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	if isCPIO(head) {
		err = each(&cpioEntries{r: br}, fn)
	} else {
		err = each(newTarEntries(br), fn)
	}
	if limited.N <= 0 {
		return model.Errorf(model.CodeLimit, "the package unpacks to more than %d bytes", int64(MaxDataBytes))
	}
	return err
}

func each(list entries, fn func(File) error) error {
	for range MaxEntries {
		f, err := list.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if f.Name, err = cleanName(f.Name); err != nil {
			return err
		}
		if f.Body == nil {
			continue
		}
		body := &bodyReader{r: f.Body}
		f.Body = body
		if err := fn(f); err != nil {
			return body.blame(err)
		}
	}
	return model.Errorf(model.CodeLimit, "the package has more than %d entries", MaxEntries)
}

// cleanName refuses names that are absolute or lead out of the root.
func cleanName(name string) (string, error) {
	clean := path.Clean(name)
	if !filepath.IsLocal(clean) || strings.Contains(name, "\x00") || len(name) > maxName {
		return "", model.Errorf(model.CodeIntegrity, "the package holds the name %.100q, which leads outside of it", name)
	}
	return clean, nil
}

// maxName is PATH_MAX.
const maxName = 4096

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

func hasMagic(head []byte, magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
