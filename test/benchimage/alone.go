package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"

	"banger/internal/inflate"
)

// inflateAll inflates files one after the other: what no pull of them can do
// without.
func inflateAll(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, inflate.NewReader(f))
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// write writes n bytes to a new file and syncs it.
func write(n int64, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(buf) // never fails
	for n > 0 && err == nil {
		var wrote int
		wrote, err = f.Write(buf[:min(n, int64(len(buf)))])
		n -= int64(wrote)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
