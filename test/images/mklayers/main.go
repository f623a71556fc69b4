// Command mklayers writes the hand-made layers of the end-to-end tests'
// images, one tar file each, into a directory:
//
//	mklayers -busybox /bin/busybox -probe FILE DIR
//
// The layers hold what tools rarely write and registries often serve:
// whiteouts, opaque directories, hard links into lower layers, capabilities,
// devices, odd names and times. They are data in archive headers, so that no
// privilege is needed to make them.
package main

import (
	"archive/tar"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	busybox := flag.String("busybox", "/bin/busybox", "a static busybox")
	probe := flag.String("probe", "", "the static test program")
	flag.Parse()
	if err := run(*busybox, *probe, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "mklayers:", err)
		os.Exit(1)
	}
}

func run(busyboxPath, probePath, dir string) error {
	busybox, err := os.ReadFile(busyboxPath)
	if err != nil {
		return err
	}
	probe, err := os.ReadFile(probePath)
	if err != nil {
		return err
	}
	for name, layer := range map[string][]entry{
		"multi-1":    multiLower(busybox, probe),
		"multi-2":    multiUpper(),
		"busybox":    busyboxLayer(busybox),
		"nonroot":    nonrootLayer(),
		"distroless": distrolessLayer(probe),
	} {
		if err := writeLayer(filepath.Join(dir, name+".tar"), layer); err != nil {
			return fmt.Errorf("writing layer %s: %w", name, err)
		}
	}
	return nil
}

func writeLayer(path string, layer []entry) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, e := range layer {
		e.header.Size = int64(len(e.body))
		if err := w.WriteHeader(&e.header); err != nil {
			return fmt.Errorf("%s: %w", e.header.Name, err)
		}
		if _, err := w.Write(e.body); err != nil {
			return fmt.Errorf("%s: %w", e.header.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}
