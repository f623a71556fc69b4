package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

// runImageTree lists the files of an image as they come: there may be
// millions.
func runImageTree(ctx context.Context, a *app, name, path string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	list := a.newStreamedList()
	return list.end(api.TreeImage(ctx, rpc.ImageTreeParams{Name: name, Path: path}, func(e model.TreeEntry) error {
		switch {
		case a.flags.json:
			return list.value(e)
		case a.flags.quiet:
			return list.line(printable(e.RawPath()))
		}
		return list.line(treeLine(&e))
	}))
}

// treeLine is an entry as ls -l has it: mode, owner, size or device number,
// time, path, target.
func treeLine(e *model.TreeEntry) string {
	size := fmt.Sprint(e.Size)
	if e.Type == model.TypeChar || e.Type == model.TypeBlock {
		size = fmt.Sprintf("%d,%d", e.Major, e.Minor)
	}
	line := fmt.Sprintf("%s %11s %10s %s %s", modeString(&e.FileInfo), fmt.Sprintf("%d:%d", e.UID, e.GID), size,
		e.MTime.UTC().Format(time.RFC3339), printable(e.RawPath()))
	if e.Type == model.TypeSymlink {
		line += " -> " + printable(e.RawTarget())
	}
	return line
}

// modeString is a file's type and permissions as ls has them: -rwsr-xr-x.
func modeString(f *model.FileInfo) string {
	text := []byte("?" + fs.FileMode(f.Mode & 0o777).String()[1:])
	switch f.Type {
	case model.TypeFile:
		text[0] = '-'
	case model.TypeDir:
		text[0] = 'd'
	case model.TypeSymlink:
		text[0] = 'l'
	case model.TypeChar:
		text[0] = 'c'
	case model.TypeBlock:
		text[0] = 'b'
	case model.TypeFIFO:
		text[0] = 'p'
	case model.TypeSocket:
		text[0] = 's'
	}
	for i, special := range []struct {
		bit  uint32
		mark byte
	}{{0o4000, 's'}, {0o2000, 's'}, {0o1000, 't'}} {
		at := 3 * (i + 1)
		switch {
		case f.Mode&special.bit == 0:
		case text[at] == 'x':
			text[at] = special.mark
		default:
			text[at] = special.mark - 'a' + 'A'
		}
	}
	return string(text)
}

// streamedList prints a list of unknown length as it comes: lines, or one JSON
// array.
type streamedList struct {
	json  bool
	w     *bufio.Writer
	count int
}

func (a *app) newStreamedList() *streamedList {
	const buffer = 64 << 10
	return &streamedList{json: a.flags.json, w: bufio.NewWriterSize(a.stdout, buffer)}
}

func (l *streamedList) line(text string) error {
	l.count++
	_, err := l.w.WriteString(text + "\n")
	return err
}

func (l *streamedList) value(v any) error {
	lead := ","
	if l.count == 0 {
		lead = "["
	}
	l.count++
	if _, err := l.w.WriteString(lead); err != nil {
		return err
	}
	return writeJSON(l.w, v, false)
}

// end prints what is still to be printed, unless err cut the list off.
func (l *streamedList) end(err error) error {
	if err == nil && l.json {
		closing := "]\n"
		if l.count == 0 {
			closing = "[]\n"
		}
		_, err = l.w.WriteString(closing)
	}
	if flushed := l.w.Flush(); err == nil {
		err = flushed
	}
	return err
}
