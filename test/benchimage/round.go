package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// bench is what the rounds share, and what they have measured.
type bench struct {
	server *server
	self   string // this program
	tools  string // directory of peers that no distribution has
	costs  map[string][]cost
}

func newBench(layouts string) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &bench{server: serve(layouts), self: self, tools: filepath.Join("build", "bench"), costs: map[string][]cost{}}, nil
}

// way is one thing to measure in a round.
type way struct {
	name     string
	commands [][]string
}

// round measures every way once, the ways taking turns between rounds. The
// first round also compares the tree with that of umoci.
func (b *bench) round(ctx context.Context, first bool) (err error) {
	dir, err := os.MkdirTemp("build", ".bench-image-") // hidden: go would look into the trees for packages
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := b.takeTurns(ctx, b.ways(in), in); err != nil {
		return err
	}
	if _, err := measure(ctx, []string{"e2fsck", "-fn", in("first.ext4")}, []string{"cmp", in("first.ext4"), in("second.ext4")}); err != nil {
		return err
	}
	if first {
		if err := equal(ctx, in("first.ext4"), filepath.Join(in("bundle"), "rootfs")); err != nil {
			return err
		}
	}
	if err := b.bounds(ctx, in); err != nil {
		return err
	}
	if err := b.shapes(ctx, in); err != nil {
		return err
	}
	return b.daemon(ctx)
}

func (b *bench) takeTurns(ctx context.Context, ways []way, in func(string) string) error {
	for _, w := range ways {
		c, err := measure(ctx, w.commands...)
		if err != nil {
			return err
		}
		b.costs[w.name] = append(b.costs[w.name], c)
		fmt.Fprintf(os.Stderr, "bench-image: %s: %.1f s, %.1f s of cpu\n", w.name, c.wall, c.cpu)
		for _, gone := range []string{"usual.ext4", "tar2ext4.ext4", "zstd.ext4"} {
			_ = os.Remove(in(gone)) // or its pages are written while the next one is measured
		}
	}
	return nil
}

// ways lists the pulls of the image, ours and the peers'.
func (b *bench) ways(in func(string) string) []way {
	ref := b.server.ref("large")
	crane, tar2ext4 := filepath.Join(b.tools, "crane"), filepath.Join(b.tools, "tar2ext4")
	return []way{
		{"usual", [][]string{
			{"skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "docker://" + ref, "oci:" + in("copy") + ":latest"},
			{"umoci", "unpack", "--image", in("copy") + ":latest", in("bundle")},
			{"mkfs.ext4", "-q", "-d", filepath.Join(in("bundle"), "rootfs"), in("usual.ext4"), "6G"},
		}},
		{"pull", [][]string{{b.self, "pull", ref, in("cache"), in("first.ext4")}}},
		{"tar2ext4", [][]string{{"sh", "-c", `set -e; "$1" --insecure export "$2" - | "$3" -o "$4"; sync "$4"`, "sh",
			crane, ref, tar2ext4, in("tar2ext4.ext4")}}},
		{"cached", [][]string{{b.self, "pull", ref, in("cache"), in("second.ext4")}}},
		{"zstd", [][]string{{b.self, "pull", b.server.ref("large-zstd"), in("zstd-cache"), in("zstd.ext4")}}},
	}
}

// bounds measures what a pull from cached layers consists of at the least:
// inflating them, and writing as many bytes as the result takes.
func (b *bench) bounds(ctx context.Context, in func(string) string) error {
	layers, err := b.server.layers("large")
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(in("first.ext4"), &st); err != nil {
		return err
	}
	return b.takeTurns(ctx, []way{
		{"inflate", [][]string{append([]string{b.self, "inflate"}, layers...)}},
		{"write", [][]string{{b.self, "write", strconv.FormatInt(st.Blocks*512, 10), in("written")}}},
	}, in)
}
