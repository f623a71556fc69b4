package store

import (
	"context"
	"database/sql"
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
	err = s.commits.exec(ctx, "INSERT INTO images (id, name, body) VALUES (?, ?, ?)", img.ID, img.Name, body)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return imageTable().taken(img.Name)
	}
	return wrap(err, fmt.Sprintf("adding image %q", img.Name))
}

// ReplaceImage adds img under the name of another image, which becomes aside:
// both at once. When that image does not have the name any more it is a
// CodeConflict.
func (s *Store) ReplaceImage(ctx context.Context, img, aside model.Image) error {
	body, err := encode(img)
	if err != nil {
		return err
	}
	asideBody, err := encode(aside)
	if err != nil {
		return err
	}
	err = s.commits.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE images SET name = ?, body = ? WHERE id = ? AND name = ?", aside.Name, asideBody, aside.ID, img.Name)
		if err := gone(result, err, imageTable(), img.Name); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO images (id, name, body) VALUES (?, ?, ?)", img.ID, img.Name, body)
		return err
	})
	switch {
	case violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
		return imageTable().taken(aside.Name)
	case model.CodeOf(err) == model.CodeNotFound:
		return model.Errorf(model.CodeConflict, "image %q has become another one meanwhile", img.Name).WithHint("try again")
	}
	return wrap(err, fmt.Sprintf("replacing image %q", img.Name))
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
	result, err := s.commits.remove(ctx, "DELETE FROM images WHERE id = ?", id)
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
