package archive

import (
	"errors"
	"io"
	"strings"

	"banger/internal/model"
)

func isDeb(head []byte) bool { return hasMagic(head, arMagic) }

// openDeb finds data.tar of a Debian package (deb(5)) and returns its plain
// bytes.
func openDeb(r io.Reader) (io.ReadCloser, error) {
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
		return damaged(unexpected(err))
	}
	version := make([]byte, 2)
	if _, err := io.ReadFull(m.body, version); m.name != "debian-binary" || err != nil || string(version) != "2." {
		return model.Errorf(model.CodeIntegrity, "this is no Debian package of format 2")
	}
	return nil
}
