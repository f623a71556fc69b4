package store

import (
	"context"
	"database/sql"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

func vmTable() table { return table{"vms", "VM", "banger vm list"} }

// InsertVM adds a VM. A name that is taken is a CodeConflict, an image that
// or a volume that does not exist a CodeNotFound; a VM without ImageID has no
// image.
func (s *Store) InsertVM(ctx context.Context, vm model.VM) error {
	body, err := encode(vm)
	if err != nil {
		return err
	}
	err = s.commits.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO vms (id, name, image_id, body) VALUES (?, ?, NULLIF(?, ''), ?)",
			vm.ID, vm.Name, vm.ImageID, body)
		if err != nil {
			return vmConstraint(err, vm)
		}
		return insertUses(ctx, tx, vm)
	})
	s.summaries.changed(vm.ID)
	return wrap(err, fmt.Sprintf("adding VM %q", vm.Name))
}

// VM returns the VM of that name, id or unique prefix of an id. An ambiguous
// prefix is a CodeConflict that names the candidates.
func (s *Store) VM(ctx context.Context, nameOrID string) (model.VM, error) {
	return find[model.VM](ctx, s.read, vmTable(), nameOrID)
}

// VMs returns all VMs, oldest first.
func (s *Store) VMs(ctx context.Context) ([]model.VM, error) {
	vms, err := bodies[model.VM](ctx, s.read, "SELECT body FROM vms ORDER BY seq")
	return vms, wrap(err, "listing VMs")
}

// UpdateVM changes the VM of that id in one transaction: change gets the VM as
// it stands, and when it returns an error, which is returned, nothing is
// changed. It must be quick and must not write to the store.
func (s *Store) UpdateVM(ctx context.Context, id string, change func(*model.VM) error) (model.VM, error) {
	var vm model.VM
	var refused error
	err := s.commits.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := bodies[model.VM](ctx, tx, "SELECT body FROM vms WHERE id = ?", id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return vmTable().notFound(id)
		}
		vm = found[0]
		if refused = change(&vm); refused != nil {
			return refused
		}
		vm.ID = id
		return replaceVM(ctx, tx, vm)
	})
	s.summaries.changed(id)
	if refused != nil {
		return model.VM{}, refused
	}
	if err != nil {
		return model.VM{}, wrap(err, fmt.Sprintf("updating VM %q", id))
	}
	return vm, nil
}

func replaceVM(ctx context.Context, tx *sql.Tx, vm model.VM) error {
	body, err := encode(vm)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE vms SET name = ?, image_id = NULLIF(?, ''), body = ? WHERE id = ?",
		vm.Name, vm.ImageID, body, vm.ID)
	return vmConstraint(err, vm)
}

// DeleteVM removes the VM of that id.
func (s *Store) DeleteVM(ctx context.Context, id string) error {
	result, err := s.commits.remove(ctx, "DELETE FROM vms WHERE id = ?", id)
	s.summaries.changed(id)
	return wrap(gone(result, err, vmTable(), id), fmt.Sprintf("deleting VM %q", id))
}

// vmConstraint says in words which rule of the table vm has broken.
func vmConstraint(err error, vm model.VM) error {
	switch {
	case violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE):
		return vmTable().taken(vm.Name)
	case violates(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY):
		return imageTable().notFound(vm.ImageID)
	}
	return err
}
