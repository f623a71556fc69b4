package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"banger/test/report"
)

// results are the costs of every round.
type results struct {
	usual, pulled, cached []cost
}

// round makes the filesystem once in each way and checks ours.
func (r *results) round(ctx context.Context, ref string) (err error) {
	dir, err := os.MkdirTemp("build", "bench-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in := func(name string) string { return filepath.Join(dir, name) }
	self, err := os.Executable()
	if err != nil {
		return err
	}
	runs := []struct {
		costs    *[]cost
		commands [][]string
	}{
		{&r.usual, usualWay(ref, in)},
		{&r.pulled, [][]string{{self, "pull", ref, in("cache"), in("first.ext4")}}},
		{&r.cached, [][]string{{self, "pull", ref, in("cache"), in("second.ext4")}}},
	}
	for _, run := range runs {
		c, err := measure(ctx, run.commands...)
		if err != nil {
			return err
		}
		*run.costs = append(*run.costs, c)
	}
	_, err = measure(ctx, []string{"e2fsck", "-fn", in("first.ext4")})
	return err
}

// usualWay is how a filesystem is made of an image with the tools at hand.
func usualWay(ref string, in func(string) string) [][]string {
	return [][]string{
		{"skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "docker://" + ref, "oci:" + in("copy") + ":latest"},
		{"umoci", "unpack", "--image", in("copy") + ":latest", in("bundle")},
		{"mkfs.ext4", "-q", "-d", filepath.Join(in("bundle"), "rootfs"), in("usual.ext4"), "4G"},
	}
}

// The bars: shares of what the usual way costs, and memory in MiB.
const (
	wallBar = 1 / 5.0
	cpuBar  = 1 / 3.3
	peakBar = 256
)

func (r *results) rows() []report.Row {
	wall := func(c cost) float64 { return c.wall }
	cpu := func(c cost) float64 { return c.cpu }
	peak := func(c cost) float64 { return c.peak }
	return []report.Row{
		report.Figure("usual way, wall", middle(r.usual, wall), "s"),
		report.Figure("usual way, cpu", middle(r.usual, cpu), "s"),
		report.Figure("pull, wall", middle(r.pulled, wall), "s"),
		report.Figure("pull, cpu", middle(r.pulled, cpu), "s"),
		report.Figure("pull of cached layers, wall", middle(r.cached, wall), "s"),
		report.Figure("pull of cached layers, cpu", middle(r.cached, cpu), "s"),
		report.Figure("pull / usual way, wall", middle(r.pulled, wall)/middle(r.usual, wall), "").Against(wallBar),
		report.Figure("pull / usual way, cpu", middle(r.pulled, cpu)/middle(r.usual, cpu), "").Against(cpuBar),
		report.Figure("pull, peak memory", middle(r.pulled, peak), "MiB").Against(peakBar),
	}
}

func middle(costs []cost, part func(cost) float64) float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, part(c))
	}
	return report.Median(values)
}
