package main

import (
	"fmt"
	"strings"
	"time"

	"banger/internal/model"
)

const (
	maxStages = 64  // kept; the reports are not trusted
	maxItems  = 256 // kept
	shown     = 8   // items on the screen at once
	barWidth  = 24  // characters
)

// progressView is what a terminal shows of an operation: its stages in the
// order of their begin, and the items of those that run. It is pure data:
// time comes in as an argument.
type progressView struct {
	stages []stageView
	items  []model.ItemProgress
}

type stageView struct {
	key     string // operation and name
	name    string
	began   time.Time
	took    time.Duration
	isEnded bool
}

// apply takes one report at the time now.
func (v *progressView) apply(r model.Progress, now time.Time) {
	switch {
	case r.Stage != "":
		v.applyStage(r, now)
	case r.Item != nil:
		v.applyItem(*r.Item)
	}
}

func (v *progressView) applyStage(r model.Progress, now time.Time) {
	s := v.stage(r.Operation+"/"+r.Stage, r.Stage, now)
	if s == nil {
		return
	}
	s.isEnded = r.Done
	s.took = time.Duration(r.Millis) * time.Millisecond
	if r.Done {
		v.items = nil
	}
}

// stage finds the stage or adds it; nil when there are too many.
func (v *progressView) stage(key, name string, now time.Time) *stageView {
	for i := range v.stages {
		if v.stages[i].key == key {
			return &v.stages[i]
		}
	}
	if len(v.stages) == maxStages {
		return nil
	}
	v.stages = append(v.stages, stageView{key: key, name: name, began: now})
	return &v.stages[len(v.stages)-1]
}

func (v *progressView) applyItem(item model.ItemProgress) {
	item.Current = max(item.Current, 0)
	for i := range v.items {
		if v.items[i].ID == item.ID {
			v.items[i] = item
			return
		}
	}
	if len(v.items) < maxItems {
		v.items = append(v.items, item)
	}
}

// live returns the lines to show at now, each at most width characters.
func (v *progressView) live(now time.Time, width int) []string {
	lines := v.summary(width)
	for _, s := range v.stages {
		if !s.isEnded {
			lines = append(lines, stageLine(s.name, now.Sub(s.began), v.bytes(), width))
		}
	}
	return append(lines, v.itemLines(width)...)
}

// summary returns a line for each stage that is over.
func (v *progressView) summary(width int) []string {
	var lines []string
	for _, s := range v.stages {
		if s.isEnded {
			lines = append(lines, stageLine(s.name, s.took, "", width))
		}
	}
	return lines
}

// itemLines shows the items that are under way, a few of them.
func (v *progressView) itemLines(width int) []string {
	var lines []string
	more := 0
	for _, item := range v.items {
		switch {
		case item.Total > 0 && item.Current >= item.Total:
		case len(lines) == shown:
			more++
		default:
			lines = append(lines, clip(itemLine(item), width))
		}
	}
	if more > 0 {
		lines = append(lines, clip(fmt.Sprintf("  and %d more", more), width))
	}
	return lines
}

// bytes sums the items up: "3MiB of 10MiB", "" without items.
func (v *progressView) bytes() string {
	var current, total int64
	for _, item := range v.items {
		current += item.Current
		total += max(item.Total, item.Current)
	}
	if total == 0 {
		return ""
	}
	return formatSize(current) + " of " + formatSize(total)
}

func stageLine(name string, took time.Duration, bytes string, width int) string {
	line := fmt.Sprintf("%-12s %7s  %s", printable(name), formatMillis(took.Milliseconds()), bytes)
	return clip(strings.TrimRight(line, " "), width)
}

func itemLine(item model.ItemProgress) string {
	id := fmt.Sprintf("%.12s", printable(strings.TrimPrefix(item.ID, "sha256:")))
	if item.Total <= 0 {
		return fmt.Sprintf("  %-12s %s", id, formatSize(item.Current))
	}
	part := min(item.Current, item.Total)
	filled := int(float64(part) / float64(item.Total) * barWidth)
	bar := strings.Repeat("=", filled) + strings.Repeat(" ", barWidth-filled)
	return fmt.Sprintf("  %-12s [%s] %s of %s", id, bar, formatSize(item.Current), formatSize(item.Total))
}
