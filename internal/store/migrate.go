package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// migrate brings the schema up to date with scripts, element i of which leads
// to version i+1. A database that has a schema already is copied first.
func migrate(ctx context.Context, db *sql.DB, path string, scripts []string) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return wrap(err, "reading the schema's version")
	}
	if version > 0 && version < len(scripts) {
		if err := backUp(ctx, db, backupPath(path, version)); err != nil {
			return wrap(err, "copying the database before its schema is changed")
		}
	}
	for ; version < len(scripts); version++ {
		if err := step(ctx, db, version+1, scripts[version]); err != nil {
			return wrap(err, fmt.Sprintf("migrating the database to schema %d", version+1))
		}
	}
	return nil
}

// backupPath is where the database as it was with an older schema is kept.
func backupPath(path string, version int) string { return fmt.Sprintf("%s.schema-%d", path, version) }

// backUp writes a copy of the database, whole or not at all. One of an
// earlier try is replaced: the database has not changed since.
func backUp(ctx context.Context, db *sql.DB, to string) error {
	partial := to + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", partial); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	if err := os.Chmod(partial, 0o600); err != nil {
		return err
	}
	if err := syncPath(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, to); err != nil {
		return err
	}
	return syncPath(filepath.Dir(to))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func step(ctx context.Context, db *sql.DB, version int, script string) error {
	return inTx(ctx, db, func(tx *sql.Tx) error {
		script += fmt.Sprintf("; PRAGMA user_version = %d; PRAGMA application_id = %d", version, applicationID)
		_, err := tx.ExecContext(ctx, script)
		return err
	})
}
