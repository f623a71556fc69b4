package imagepush

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/internal/ext4"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// lostFound belongs to the filesystem, not to the image.
const lostFound = "/lost+found"

// plan is what a layer holds.
type plan struct {
	all     bool                // every name, put does not matter
	put     map[string]struct{} // names that are written, with their directories
	removed map[string][]string // names that are hidden, by directory
	gone    string              // what is below it needs no whiteout
}

// Difference is what makes one tree out of another.
type Difference struct {
	From, To *imagetree.Tree
	Without  []string // paths of files that stay as they are in From
}

// plan plans the layer of a difference.
func (d Difference) plan(ctx context.Context) (*plan, error) {
	p := &plan{put: map[string]struct{}{}, removed: map[string][]string{}}
	err := imagetree.Diff(ctx, d.From, d.To, imagetree.DiffOptions{Times: true}, func(c model.TreeChange) error {
		if !slices.Contains(d.Without, c.RawPath()) {
			p.add(&c)
		}
		return nil
	})
	if err == nil {
		err = p.addLinks(ctx, d.From.FS(), d.To.FS())
	}
	for _, name := range d.Without {
		delete(p.put, name)
	}
	return p, err
}

// add plans one change. Changes come in the order of a walk, so that what is
// below a directory follows it.
func (p *plan) add(c *model.TreeChange) {
	name := c.RawPath()
	change := c.Change
	switch {
	case change == model.ChangeRemoved && hidesOthers(name):
		return // it was in no layer
	case change == model.ChangeChanged && leftOut(c.To.Type, c.To.Major, c.To.Minor) != "":
		p.write(name)                // for the count of what is left out
		change = model.ChangeRemoved // else what was there would show through
	}
	switch change {
	case model.ChangeAdded:
		p.write(name)
	case model.ChangeChanged:
		p.write(name)
		if c.From.Type == model.TypeDir && c.To.Type != model.TypeDir {
			p.gone = name
		}
	case model.ChangeRemoved:
		if name == lostFound || p.gone != "" && strings.HasPrefix(name, p.gone+"/") {
			return
		}
		p.gone = name
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		p.removed[dir] = append(p.removed[dir], base)
		p.write(dir)
	}
}

// write plans a name and the directories above it: whoever unpacks a layer by
// itself would else make them up.
func (p *plan) write(name string) {
	for {
		if _, known := p.put[name]; known {
			return
		}
		p.put[name] = struct{}{}
		if name == "/" {
			return
		}
		name = path.Dir(name)
	}
}

// has tells whether a name is written.
func (p *plan) has(name string) bool {
	_, ok := p.put[name]
	return p.all || ok
}

// addLinks plans all names of files whose names have changed: a layer cannot
// link to what lies below it, nor part what is linked there.
func (p *plan) addLinks(ctx context.Context, from, to *ext4.FS) error {
	old, err := linkGroups(ctx, from)
	if err != nil {
		return err
	}
	now, err := linkGroups(ctx, to)
	if err != nil {
		return err
	}
	for key, names := range now {
		if _, same := old[key]; !same {
			p.writeAll(names)
		}
	}
	for key, names := range old {
		if _, same := now[key]; same {
			continue
		}
		if names, err = existing(to, names); err != nil {
			return err
		}
		p.writeAll(names)
	}
	return nil
}

func (p *plan) writeAll(names []string) {
	for _, name := range names {
		p.write(name)
	}
}

// linkGroups returns the names of each file that has several, by all of them
// together: no name holds a NUL.
func linkGroups(ctx context.Context, fsys *ext4.FS) (map[string][]string, error) {
	byInode := map[uint32][]string{}
	err := fsys.Walk(ctx, func(name string, n *ext4.Inode) error {
		if n.Links > 1 && !n.IsDir() {
			byInode[n.Ino] = append(byInode[n.Ino], name)
		}
		return nil
	})
	groups := make(map[string][]string, len(byInode))
	for _, names := range byInode {
		slices.Sort(names)
		groups[strings.Join(names, "\x00")] = names
	}
	return groups, err
}

// existing returns those names that are in a filesystem.
func existing(fsys *ext4.FS, names []string) ([]string, error) {
	var here []string
	for _, name := range names {
		_, err := fsys.Lookup(name)
		switch {
		case err == nil:
			here = append(here, name)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return here, nil
}
