package vmlinux

import (
	"bytes"

	"banger/internal/kernelcat/decompress"
)

// The build configuration that CONFIG_IKCONFIG puts into a kernel is gzipped
// between these (kernel/configs.c).
const (
	configStart = "IKCFG_ST"
	configEnd   = "IKCFG_ED"
	maxConfig   = 4 << 20 // bytes, unpacked
)

// Config returns the build configuration inside of the ELF kernel in image;
// nil when it has none or a damaged one.
func Config(image []byte) []byte {
	_, rest, ok := bytes.Cut(image, []byte(configStart+"\x1f\x8b"))
	if !ok {
		return nil
	}
	packed, _, ok := bytes.Cut(rest, []byte(configEnd))
	if !ok {
		return nil
	}
	config, err := decompress.All(decompress.Gzip, append([]byte("\x1f\x8b"), packed...), maxConfig)
	if err != nil {
		return nil
	}
	return config
}
