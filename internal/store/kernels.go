package store

import (
	"context"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

func kernelTable() table { return table{"kernels", "kernel", "banger kernel list"} }

// InsertKernel adds a kernel. A name that is taken is a CodeConflict.
func (s *Store) InsertKernel(ctx context.Context, k model.Kernel) error {
	body, err := encode(k)
	if err != nil {
		return err
	}
	err = s.commits.exec(ctx, "INSERT INTO kernels (name, body) VALUES (?, ?)", k.Name, body)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return kernelTable().taken(k.Name)
	}
	return wrap(err, fmt.Sprintf("adding kernel %q", k.Name))
}

// Kernel returns the kernel of that name.
func (s *Store) Kernel(ctx context.Context, name string) (model.Kernel, error) {
	found, err := bodies[model.Kernel](ctx, s.read, "SELECT body FROM kernels WHERE name = ?", name)
	switch {
	case err != nil:
		return model.Kernel{}, wrap(err, fmt.Sprintf("reading kernel %q", name))
	case len(found) == 0:
		return model.Kernel{}, kernelTable().notFound(name)
	}
	return found[0], nil
}

// Kernels returns all kernels, oldest first.
func (s *Store) Kernels(ctx context.Context) ([]model.Kernel, error) {
	kernels, err := bodies[model.Kernel](ctx, s.read, "SELECT body FROM kernels ORDER BY seq")
	return kernels, wrap(err, "listing kernels")
}

// UpdateKernel replaces the kernel of k's name.
func (s *Store) UpdateKernel(ctx context.Context, k model.Kernel) error {
	body, err := encode(k)
	if err != nil {
		return err
	}
	result, err := s.write.ExecContext(ctx, "UPDATE kernels SET body = ? WHERE name = ?", body, k.Name)
	return wrap(gone(result, err, kernelTable(), k.Name), fmt.Sprintf("changing kernel %q", k.Name))
}

// DeleteKernel removes the kernel of that name.
func (s *Store) DeleteKernel(ctx context.Context, name string) error {
	result, err := s.commits.remove(ctx, "DELETE FROM kernels WHERE name = ?", name)
	return wrap(gone(result, err, kernelTable(), name), fmt.Sprintf("deleting kernel %q", name))
}
