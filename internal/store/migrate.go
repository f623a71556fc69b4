package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

// applicationID marks our files (SQLite file format, offset 68): "bngr".
const applicationID = 0x626e6772

// migrationFiles holds NNNN_name.sql; number N leads from user_version N-1 to N.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the scripts in their order: element i leads to version i+1.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	scripts := make([]string, len(names))
	for i, name := range names {
		script, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading migration: %w", err)
		}
		scripts[i] = string(script)
	}
	return scripts, nil
}

func newestVersion() (int, error) {
	scripts, err := migrations()
	return len(scripts), err
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB) error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return wrap(err, "reading the schema's version")
	}
	for ; version < len(scripts); version++ {
		if err := step(ctx, db, version+1, scripts[version]); err != nil {
			return wrap(err, fmt.Sprintf("migrating the database to schema %d", version+1))
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, version int, script string) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		script += fmt.Sprintf("; PRAGMA user_version = %d; PRAGMA application_id = %d", version, applicationID)
		_, err := tx.ExecContext(ctx, script)
		return err
	})
}
