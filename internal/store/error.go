package store

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

// codeOf classes an error of the database.
func codeOf(err error) model.Code {
	var e *sqlite.Error
	switch {
	case errors.Is(err, context.Canceled):
		return model.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return model.CodeTimeout
	case !errors.As(err, &e):
		return model.CodeOf(err)
	}
	switch e.Code() & 0xff { // the primary result code
	case sqlite3.SQLITE_FULL:
		return model.CodeNoSpace
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return model.CodeIntegrity
	case sqlite3.SQLITE_BUSY:
		return model.CodeTimeout
	case sqlite3.SQLITE_CONSTRAINT:
		return model.CodeConflict
	}
	return model.CodeInternal
}

// wrap gives a database error its code and says what was being done. An error
// that is told to users already stays as it is.
func wrap(err error, doing string) error {
	var told *model.Error
	if err == nil || errors.As(err, &told) {
		return err
	}
	code := codeOf(err)
	told = model.Errorf(code, "%s: %w", doing, err)
	if code == model.CodeNoSpace {
		return told.WithHint("make room: `banger system df` shows what takes it; running VMs go on")
	}
	return told
}

// violates reports whether err is a violation of the constraint of that
// extended result code.
func violates(err error, constraint int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == constraint
}
