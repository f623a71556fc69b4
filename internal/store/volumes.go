package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

func volumeTable() table { return table{"volumes", "volume", "banger volume list"} }

// InsertVolume adds a volume. A name that is taken is a CodeConflict. Its
// users are those of its VMs, whatever v says.
func (s *Store) InsertVolume(ctx context.Context, v model.Volume) error {
	v.Users = nil
	body, err := encode(v)
	if err != nil {
		return err
	}
	err = s.commits.exec(ctx, "INSERT INTO volumes (id, name, body) VALUES (?, ?, ?)", v.ID, v.Name, body)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return volumeTable().taken(v.Name)
	}
	return wrap(err, fmt.Sprintf("adding volume %q", v.Name))
}

// Volume returns the volume of that name, id or unique prefix of an id.
func (s *Store) Volume(ctx context.Context, nameOrID string) (model.Volume, error) {
	v, err := find[model.Volume](ctx, s.read, volumeTable(), nameOrID)
	if err != nil {
		return v, err
	}
	users, err := volumeUsers(ctx, s.read, "WHERE volume_id = ?", v.ID)
	v.Users = append([]model.VolumeUser{}, users[v.ID]...)
	return v, wrap(err, fmt.Sprintf("reading volume %q", nameOrID))
}

// Volumes returns all volumes, oldest first.
func (s *Store) Volumes(ctx context.Context) ([]model.Volume, error) {
	volumes, err := bodies[model.Volume](ctx, s.read, "SELECT body FROM volumes ORDER BY seq")
	if err != nil {
		return nil, wrap(err, "listing volumes")
	}
	users, err := volumeUsers(ctx, s.read, "")
	for i, v := range volumes {
		volumes[i].Users = append([]model.VolumeUser{}, users[v.ID]...)
	}
	return volumes, wrap(err, "listing volumes")
}

// volumeUsers returns the users of volumes by the volumes' ids.
func volumeUsers(ctx context.Context, q querier, where string, args ...any) (map[string][]model.VolumeUser, error) {
	rows, err := q.QueryContext(ctx, "SELECT volume_id, vms.name, read_only, held FROM volume_uses JOIN vms ON vms.id = vm_id "+where+" ORDER BY vms.seq", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	users := map[string][]model.VolumeUser{}
	for rows.Next() {
		var id string
		var u model.VolumeUser
		if err := rows.Scan(&id, &u.VM, &u.ReadOnly, &u.Held); err != nil {
			return nil, err
		}
		users[id] = append(users[id], u)
	}
	return users, rows.Err()
}

// UpdateVolume changes the volume of that id in one transaction, as UpdateVM
// does.
func (s *Store) UpdateVolume(ctx context.Context, id string, change func(*model.Volume) error) (model.Volume, error) {
	var v model.Volume
	var refused error
	err := s.commits.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := bodies[model.Volume](ctx, tx, "SELECT body FROM volumes WHERE id = ?", id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return volumeTable().notFound(id)
		}
		v = found[0]
		if refused = change(&v); refused != nil {
			return refused
		}
		v.ID, v.Users = id, nil
		body, err := encode(v)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE volumes SET name = ?, body = ? WHERE id = ?", v.Name, body, id)
		return err
	})
	if refused != nil {
		return model.Volume{}, refused
	}
	return v, wrap(err, fmt.Sprintf("updating volume %q", id))
}

// DeleteVolume removes the volume of that id. While VMs use it that is a
// CodeConflict which names them.
func (s *Store) DeleteVolume(ctx context.Context, id string) error {
	result, err := s.commits.remove(ctx, "DELETE FROM volumes WHERE id = ?", id)
	if violates(err, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY) {
		return model.Errorf(model.CodeConflict, "volume %q is used by VMs", id).WithHint("banger volume show %s names them", id)
	}
	return wrap(gone(result, err, volumeTable(), id), fmt.Sprintf("deleting volume %q", id))
}

// insertUses writes which volumes a new VM uses. One that is being deleted is
// as good as gone.
func insertUses(ctx context.Context, tx *sql.Tx, vm model.VM) error {
	for _, m := range vm.Spec.Volumes {
		result, err := tx.ExecContext(ctx, `INSERT INTO volume_uses (vm_id, volume_id, read_only)
			SELECT ?, id, ? FROM volumes WHERE id = ? AND json_extract(body, '$.state') = ?`,
			vm.ID, m.ReadOnly, m.VolumeID, model.VolumeReady)
		if err := gone(result, err, volumeTable(), m.Volume); err != nil {
			return err
		}
	}
	return nil
}

// ClaimVolumes makes a VM the holder of the volumes that it uses: all of them
// or none. One that another VM holds, when either of the two writes, is a
// CodeConflict that names that VM. A VM may claim again.
func (s *Store) ClaimVolumes(ctx context.Context, vmID string) error {
	err := s.commits.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		clash, err := column(ctx, tx, `SELECT volumes.name || '/' || vms.name
			FROM volume_uses mine
			JOIN volume_uses other ON other.volume_id = mine.volume_id AND other.vm_id <> mine.vm_id
			JOIN volumes ON volumes.id = mine.volume_id
			JOIN vms ON vms.id = other.vm_id
			WHERE mine.vm_id = ? AND other.held = 1 AND NOT (mine.read_only = 1 AND other.read_only = 1)
			LIMIT 1`, vmID)
		if err != nil {
			return err
		}
		if len(clash) > 0 {
			volume, vm, _ := strings.Cut(clash[0], "/") // neither name has a slash
			return model.Errorf(model.CodeConflict, "volume %q is in use by VM %s", volume, vm).
				WithHint("stop it first: banger stop %s; VMs that mount a volume with :ro share it", vm)
		}
		_, err = tx.ExecContext(ctx, "UPDATE volume_uses SET held = 1 WHERE vm_id = ?", vmID)
		return err
	})
	return wrap(err, fmt.Sprintf("claiming the volumes of VM %q", vmID))
}

// ReleaseVolumes ends what ClaimVolumes began.
func (s *Store) ReleaseVolumes(ctx context.Context, vmID string) error {
	_, err := s.commits.remove(ctx, "UPDATE volume_uses SET held = 0 WHERE vm_id = ? AND held = 1", vmID)
	return wrap(err, fmt.Sprintf("releasing the volumes of VM %q", vmID))
}

// ReleaseIdleVolumes releases what VMs hold that have no process. None do,
// unless a release has failed.
func (s *Store) ReleaseIdleVolumes(ctx context.Context) error {
	_, err := s.commits.remove(ctx, `UPDATE volume_uses SET held = 0 WHERE held = 1 AND vm_id IN
		(SELECT id FROM vms WHERE json_extract(body, '$.state') IN ('creating', 'stopped', 'failed', 'deleting'))`)
	return wrap(err, "releasing volumes")
}
