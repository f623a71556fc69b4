package store

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

func tables(ctx context.Context, t *testing.T, path string) (names []string, version int) {
	t.Helper()
	db := openDSN(path, url.Values{"mode": {"ro"}})
	defer db.Close()
	names, err := column(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return names, version
}

func migratedTo(t *testing.T, path string, scripts ...string) error {
	t.Helper()
	db := openPool(path, 1, url.Values{})
	defer func(db *sql.DB) {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}(db)
	return migrate(t.Context(), db, path, scripts)
}

// TestDatabaseIsCopiedBeforeItsSchemaChanges: also when the change fails, and
// not when there is nothing to change.
func TestDatabaseIsCopiedBeforeItsSchemaChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "banger.db")
	const first, second = "CREATE TABLE a (x)", "CREATE TABLE b (x)"
	for range 2 {
		if err := migratedTo(t, path, first); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(backupPath(path, 1)); err == nil {
		t.Error("a copy was made although the schema is the same")
	}
	if err := migratedTo(t, path, first, "this is no SQL"); err == nil {
		t.Error("a migration that fails is not told")
	}
	if err := migratedTo(t, path, first, second); err != nil {
		t.Fatal(err)
	}
	if names, version := tables(t.Context(), t, backupPath(path, 1)); len(names) != 1 || version != 1 {
		t.Errorf("the copy has schema %d and tables %q", version, names)
	}
	if names, version := tables(t.Context(), t, path); len(names) != 2 || version != 2 {
		t.Errorf("the database has schema %d and tables %q", version, names)
	}
	if left, err := filepath.Glob(path + "*.partial"); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}
