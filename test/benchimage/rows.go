package main

import (
	"slices"

	"banger/test/report"
)

// The bars: shares of what others cost, times in seconds, memory in MiB.
const (
	wallBar        = 1 / 5.0
	wallStretch    = 1 / 8.0
	cpuBar         = 1 / 3.3
	cpuStretch     = 1 / 5.5
	tar2ext4Bar    = 1 / 1.9
	tar2ext4Goal   = 1 / 3.0
	cachedBar      = 1.5
	zstdBar        = 0.65
	peakBar        = 256
	shapeBar       = 5
	processesOfTwo = 2 // the bound of a pull from cached layers is that of two processors
)

func (b *bench) rows() []report.Row {
	wall := func(c cost) float64 { return c.wall }
	cpu := func(c cost) float64 { return c.cpu }
	peak := func(c cost) float64 { return c.peak }
	bound := func(round int) float64 {
		return (b.costs["inflate"][round].wall + b.costs["write"][round].wall) / processesOfTwo
	}
	var rows []report.Row
	for _, name := range []string{"usual", "tar2ext4", "pull", "cached", "zstd", "inflate", "write"} {
		rows = append(rows, b.row(titles[name]+", wall", "s", name, wall), b.row(titles[name]+", cpu", "s", name, cpu))
	}
	usualWall, usualCPU := b.share("pull / usual way, wall", "pull", "usual", wall), b.share("pull / usual way, cpu", "pull", "usual", cpu)
	tar2ext4 := b.share("pull / crane and tar2ext4, wall", "pull", "tar2ext4", wall)
	cached := spread("cached / lower bound of two processors, wall", "", b.each("cached", func(i int, c cost) float64 { return c.wall / bound(i) }))
	rows = append(rows,
		usualWall.Against(wallBar), stretch(usualWall, wallStretch),
		usualCPU.Against(cpuBar), stretch(usualCPU, cpuStretch),
		tar2ext4.Against(tar2ext4Bar), stretch(tar2ext4, tar2ext4Goal),
		cached.Against(cachedBar),
		b.share("zstd / gzip layers, wall", "zstd", "pull", wall).Against(zstdBar),
		b.row("pull, peak memory", "MiB", "pull", peak),
		b.row("daemon that pulls, peak memory", "MiB", "daemon", peak).Against(peakBar),
	)
	for _, s := range shapes {
		rows = append(rows, b.row(s.title, "s", s.name, wall).Against(shapeBar), b.row(s.title+", peak memory", "MiB", s.name, peak).Against(peakBar))
	}
	return rows
}

var titles = map[string]string{
	"usual":    "skopeo, umoci, mkfs.ext4",
	"tar2ext4": "crane, tar2ext4",
	"pull":     "pull",
	"cached":   "pull of cached layers",
	"zstd":     "pull of zstd layers",
	"inflate":  "inflating alone",
	"write":    "writing alone",
}

// stretch is a row that is told beside the bar, and fails nothing.
func stretch(r report.Row, goal float64) report.Row {
	r.Name, r.Goal = "stretch: "+r.Name, &goal
	return r
}

func (b *bench) each(name string, part func(round int, c cost) float64) []float64 {
	var values []float64
	for i, c := range b.costs[name] {
		values = append(values, part(i, c))
	}
	return values
}

func (b *bench) row(title, unit, name string, part func(cost) float64) report.Row {
	return spread(title, unit, b.each(name, func(_ int, c cost) float64 { return part(c) }))
}

// share is what one way costs of another, round by round.
func (b *bench) share(title, name, of string, part func(cost) float64) report.Row {
	return spread(title, "", b.each(name, func(i int, c cost) float64 { return part(c) / part(b.costs[of][i]) }))
}

func spread(title, unit string, values []float64) report.Row {
	r := report.Figure(title, report.Median(values), unit)
	r.Runs, r.Least, r.Most = len(values), slices.Min(values), slices.Max(values)
	return r
}
