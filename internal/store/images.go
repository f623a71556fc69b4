package store

import (
	"context"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

func imageTable() table { return table{"images", "image", "banger image list"} }

// InsertImage adds an image. A name that is taken is a CodeConflict.
func (s *Store) InsertImage(ctx context.Context, img model.Image) error {
	body, err := encode(img)
	if err != nil {
		return err
	}
	_, err = s.commits.exec(ctx, "INSERT INTO images (id, name, body) VALUES (?, ?, ?)", img.ID, img.Name, body)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return imageTable().taken(img.Name)
	}
	return wrap(err, fmt.Sprintf("adding image %q", img.Name))
}

// Image returns the image of that name, id or unique prefix of an id. An
// ambiguous prefix is a CodeConflict that names the candidates.
func (s *Store) Image(ctx context.Context, nameOrID string) (model.Image, error) {
	return find[model.Image](ctx, s.read, imageTable(), nameOrID)
}

// Images returns all images, oldest first.
func (s *Store) Images(ctx context.Context) ([]model.Image, error) {
	images, err := bodies[model.Image](ctx, s.read, "SELECT body FROM images ORDER BY seq")
	return images, wrap(err, "listing images")
}

// UpdateImage replaces the image of img's id; its name stays.
func (s *Store) UpdateImage(ctx context.Context, img model.Image) error {
	body, err := encode(img)
	if err != nil {
		return err
	}
	result, err := s.write.ExecContext(ctx, "UPDATE images SET body = ? WHERE id = ? AND name = ?", body, img.ID, img.Name)
	return wrap(gone(result, err, imageTable(), img.ID), fmt.Sprintf("updating image %q", img.Name))
}

// DeleteImage removes the image of that id. While VMs are made of it that is
// a CodeConflict which names them.
func (s *Store) DeleteImage(ctx context.Context, id string) error {
	result, err := s.commits.exec(ctx, "DELETE FROM images WHERE id = ?", id)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY) {
		return s.imageInUse(ctx, id)
	}
	return wrap(gone(result, err, imageTable(), id), fmt.Sprintf("deleting image %q", id))
}

func (s *Store) imageInUse(ctx context.Context, id string) error {
	names, err := column(ctx, s.read, "SELECT name FROM vms WHERE image_id = ? ORDER BY seq LIMIT 8", id)
	if err != nil {
		return wrap(err, fmt.Sprintf("deleting image %q", id))
	}
	return model.Errorf(model.CodeConflict, "image %q is used by VMs: %s", id, strings.Join(names, ", ")).
		WithHint("delete them first: banger vm delete %s", strings.Join(names, " "))
}
