package pkgdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"banger/internal/model"
)

// rpmDirs are where distributions keep rpm's database; the second is often a
// link to the first (rpm(8), %_dbpath).
var rpmDirs = []string{"/usr/lib/sysimage/rpm", "/var/lib/rpm"} //nolint:gochecknoglobals // a table

// Bounds of reading a database.
const (
	maxRPMHeader = 64 << 20 // bytes; those of packages with many files have some
	rpmTime      = time.Minute
)

// otherRPM are databases of kinds that are not read, by their file.
var otherRPM = map[string]string{"Packages": "Berkeley DB", "Packages.db": "ndb"} //nolint:gochecknoglobals // a table

// rpm adds the packages of the first database of rpm that there is.
func (l *lister) rpm(ctx context.Context) error {
	for _, dir := range rpmDirs {
		db, err := l.fsys.OpenFile(dir + "/rpmdb.sqlite")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = l.sqlite(ctx, dir, db)
		}
		if err != nil && ctx.Err() == nil {
			return model.Errorf(model.CodeIntegrity, "reading %s/rpmdb.sqlite of the image: %w", dir, err)
		}
		return errors.Join(ctx.Err(), err)
	}
	for _, dir := range rpmDirs {
		for file, kind := range otherRPM {
			if info, err := l.fsys.Stat(dir + "/" + file); err == nil && info.Size > 0 {
				return model.Errorf(model.CodeUnsupported, "the rpm database of the image is of the kind %s, which banger does not read", kind).
					WithHint("rpm in a VM of the image does: banger run --rm IMAGE -- rpm -qa")
			}
		}
	}
	return nil
}

// sqlite reads a database, of which SQLite wants files of its own: with its
// log of what was not merged into it yet, when there is one.
func (l *lister) sqlite(ctx context.Context, dir string, db io.Reader) error {
	own, err := os.MkdirTemp("", "banger-rpmdb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	path := filepath.Join(own, "db")
	if err := copyDatabase(ctx, path, db); err != nil {
		return err
	}
	wal, err := l.fsys.OpenFile(dir + "/rpmdb.sqlite-wal")
	if err == nil {
		err = copyDatabase(ctx, path+"-wal", wal)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, rpmTime)
	defer cancel()
	return l.query(ctx, path)
}

func copyDatabase(ctx context.Context, path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(from, maxDatabase+1))
	if err == nil && n > maxDatabase {
		err = fmt.Errorf("it has more than %d bytes", maxDatabase)
	}
	return errors.Join(err, ctx.Err(), f.Close())
}

// tableQuery finds the table that is read. It must be one of bytes: a view, a
// virtual table, which has no page, and a column that is computed when it is
// read would run what the file says.
const tableQuery = "SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo('Packages') AS c " +
	"WHERE s.name = 'Packages' AND s.type = 'table' AND s.rootpage > 0 AND c.name = 'blob' AND c.hidden = 0"

// query reads the one table that matters (rpm's lib/backend/sqlite.c). The
// file is hostile: see tableQuery, and nothing of it is mapped into memory.
func (l *lister) query(ctx context.Context, path string) (err error) {
	pragmas := url.Values{"_pragma": {"trusted_schema(0)", "cell_size_check(1)", "mmap_size(0)", "query_only(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var tables int
	if err := db.QueryRowContext(ctx, tableQuery).Scan(&tables); err != nil {
		return err
	}
	if tables != 1 {
		return errors.New("it has no table Packages as rpm makes it")
	}
	rows, err := db.QueryContext(ctx, "SELECT blob FROM Packages WHERE length(blob) <= ? LIMIT ?", maxRPMHeader, maxPackages+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	return l.rows(rows)
}

func (l *lister) rows(rows *sql.Rows) error {
	var blob sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&blob); err != nil {
			return err
		}
		p, err := parseRPM(blob)
		if err != nil {
			return err
		}
		if l.found = append(l.found, p); len(l.found) > maxPackages {
			return fmt.Errorf("more than %d packages", maxPackages)
		}
	}
	return rows.Err()
}
