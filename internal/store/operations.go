package store

import (
	"context"
	"database/sql"
	"time"

	"banger/internal/model"
)

// SaveOperations inserts or replaces ops in one transaction and then forgets
// all but the newest keep.
func (s *Store) SaveOperations(ctx context.Context, ops []model.Operation, keep int) error {
	err := s.commits.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, op := range ops {
			if err := saveOperation(ctx, tx, op); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx,
			"DELETE FROM operations WHERE seq <= (SELECT seq FROM operations ORDER BY seq DESC LIMIT 1 OFFSET ?)", keep)
		return err
	})
	return wrap(err, "saving operations")
}

func saveOperation(ctx context.Context, tx *sql.Tx, op model.Operation) error {
	body, err := encode(op)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO operations (id, state, body) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`, op.ID, op.State, body)
	return err
}

// Operations returns what is kept, oldest first.
func (s *Store) Operations(ctx context.Context) ([]model.Operation, error) {
	ops, err := bodies[model.Operation](ctx, s.read, "SELECT body FROM operations ORDER BY seq")
	return ops, wrap(err, "listing operations")
}

// InterruptOperations turns running operations into interrupted ones that
// ended at the given time, and returns how many there were.
func (s *Store) InterruptOperations(ctx context.Context, at time.Time) (int, error) {
	count := 0
	err := s.commits.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		running, err := bodies[model.Operation](ctx, tx, "SELECT body FROM operations WHERE state = 'running'")
		if err != nil {
			return err
		}
		count = len(running)
		for _, op := range running {
			op.Interrupt(at)
			if err := saveOperation(ctx, tx, op); err != nil {
				return err
			}
		}
		return nil
	})
	return count, wrap(err, "interrupting operations")
}
