package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// shapes are archives of few bytes and unusual trees.
var shapes = []struct {
	name, title string
	headers     func(put func(tar.Header) error) error
}{
	{"directory", "one directory of 120,000 files", func(put func(tar.Header) error) error {
		return times(120_000, func(i int) error {
			return put(tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("d/file-%06d", i), Mode: 0o644})
		})
	}},
	{"links", "65,000 hard links to one file", func(put func(tar.Header) error) error {
		return errors.Join(
			put(tar.Header{Typeflag: tar.TypeReg, Name: "file", Mode: 0o644}),
			times(64_999, func(i int) error {
				return put(tar.Header{Typeflag: tar.TypeLink, Name: fmt.Sprintf("link-%05d", i), Linkname: "file"})
			}))
	}},
	{"depth", "1,020 directories below each other", func(put func(tar.Header) error) error {
		return times(1020, func(i int) error {
			return put(tar.Header{Typeflag: tar.TypeDir, Name: strings.Repeat("d/", i+1), Mode: 0o755})
		})
	}},
	{"many", "500,000 small files", func(put func(tar.Header) error) error {
		return times(500_000, func(i int) error {
			name := fmt.Sprintf("srv/application-%02d/packages/package-%04d/source-file-%d.txt", i/50_000, i/100, i)
			return put(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644})
		})
	}},
}

func times(n int, f func(int) error) error {
	for i := range n {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

// shapes measures a pull of each.
func (b *bench) shapes(ctx context.Context, in func(string) string) error {
	for _, s := range shapes {
		archive, err := filepath.Abs(in(s.name + ".tar"))
		if err != nil {
			return err
		}
		if err := writeArchive(archive, s.headers); err != nil {
			return err
		}
		image := in(s.name + ".ext4")
		if err := b.takeTurns(ctx, []way{{s.name, [][]string{{b.self, "pull", "tar:" + archive, in("cache"), image}}}}, in); err != nil {
			return err
		}
		if _, err := measure(ctx, []string{"e2fsck", "-fn", image}); err != nil {
			return err
		}
	}
	return nil
}

func writeArchive(path string, headers func(func(tar.Header) error) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = headers(func(h tar.Header) error {
		h.ModTime = time.Unix(1_700_000_000, 0)
		return w.WriteHeader(&h)
	})
	return errors.Join(err, w.Close(), f.Close())
}
