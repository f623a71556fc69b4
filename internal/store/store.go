package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"banger/internal/model"
)

// Store is the database. It is safe for concurrent use.
type Store struct {
	write *sql.DB // one connection
	read  *sql.DB

	commits   committer
	summaries summaries
}

// Open opens the database file, making it (0600) when it is absent.
//
//	guard    a file of a newer banger, or not of banger, is refused untouched
//	check    a damaged file is refused (CodeIntegrity)
//	migrate  an older schema is copied beside the file, then brought up to
//	         date, one transaction a step
func Open(ctx context.Context, path string) (*Store, error) {
	if err := guard(ctx, path); err != nil {
		return nil, err
	}
	s := &Store{
		write: openPool(path, 1, url.Values{"_txlock": {"immediate"}}),
		read:  openPool(path, 4, url.Values{"_pragma": {"query_only(1)"}}),
	}
	s.commits.db = s.write
	if err := s.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.commits.room.path = path + ".reserve"
	s.commits.room.fill()
	return s, nil
}

func (s *Store) prepare(ctx context.Context, path string) error {
	if err := check(ctx, s.write, path); err != nil {
		return err
	}
	scripts, err := migrations()
	if err != nil {
		return err
	}
	return migrate(ctx, s.write, path, scripts)
}

// Close closes the file.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// guard looks at an existing file without changing it.
func guard(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return model.Unwritable(filepath.Dir(path), "opening the database", err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return model.Errorf(model.CodeInternal, "opening the database: %w", err)
	}
	if info.Size() == 0 {
		return nil
	}
	db := openDSN(path, url.Values{"mode": {"ro"}})
	defer db.Close()
	return guardVersion(ctx, db, path)
}

func guardVersion(ctx context.Context, db *sql.DB, path string) error {
	var app, version int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return damaged(path, err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return damaged(path, err)
	}
	newest, err := newestVersion()
	switch {
	case err != nil:
		return err
	case app != applicationID && version != 0:
		return model.Errorf(model.CodeIntegrity, "%s is not a database of banger", path).
			WithHint("move it away, or set BANGER_HOME to another directory")
	case version > newest:
		return model.Errorf(model.CodeUnsupported, "%s was written by a newer banger: its schema is %d, this one knows %d", path, version, newest).
			WithHint("install the newer banger again; nothing has been changed")
	}
	return nil
}

// check reads through the whole file, as damage is better found now than in
// the middle of a call.
func check(ctx context.Context, db *sql.DB, path string) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return damaged(path, err)
	}
	if verdict != "ok" {
		return damaged(path, errors.New(verdict))
	}
	return nil
}

func damaged(path string, err error) error {
	if code := codeOf(err); code != model.CodeIntegrity && code != model.CodeInternal {
		return model.Errorf(code, "reading %s: %w", path, err)
	}
	return model.Errorf(model.CodeIntegrity, "%s is damaged: %w", path, err).
		WithHint("move it away to begin anew; the files of images and VMs stay where they are")
}

// openPool returns a pool of at most conns connections, set up for our use.
func openPool(path string, conns int, query url.Values) *sql.DB {
	for _, pragma := range []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"} {
		query.Add("_pragma", pragma)
	}
	db := openDSN(path, query)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(1)
	return db
}

func openDSN(path string, query url.Values) *sql.DB {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("the sqlite driver is not linked: " + err.Error())
	}
	return db
}
