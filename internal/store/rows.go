package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"banger/internal/model"
)

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// inTx runs fn in one transaction, which holds the only writing connection.
func inTx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		if undo := tx.Rollback(); undo != nil && ctx.Err() == nil {
			return errors.Join(err, undo)
		}
		return err
	}
	return tx.Commit()
}

// bodies returns the nouns whose bodies the query selects.
func bodies[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []T{}
	var body sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var noun T
		if err := json.Unmarshal(body, &noun); err != nil {
			return nil, model.Errorf(model.CodeIntegrity, "decoding a row: %w", err)
		}
		found = append(found, noun)
	}
	return found, rows.Err()
}

// table is one of the tables whose rows have an id and a name. Its fields are
// constants of this package: they become part of queries.
type table struct {
	name string // in SQL
	noun string // for people
	list string // the command that lists the rows
}

// find returns the row whose name or id is key, else the one whose id begins
// with it.
func find[T any](ctx context.Context, q querier, t table, key string) (T, error) {
	var none T
	found, err := bodies[T](ctx, q, "SELECT body FROM "+t.name+" WHERE name = ?1 OR id = ?1 ORDER BY name <> ?1 LIMIT 1", key)
	if err == nil && len(found) == 0 && isHex(key) {
		// 'g' comes right after the last hex digit: a range, for the index.
		found, err = bodies[T](ctx, q, "SELECT body FROM "+t.name+" WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY seq LIMIT 9", key)
	}
	switch {
	case err != nil:
		return none, wrap(err, fmt.Sprintf("reading %s %q", t.noun, key))
	case len(found) == 0:
		return none, t.notFound(key)
	case len(found) > 1:
		return none, t.ambiguous(ctx, q, key)
	}
	return found[0], nil
}

func (t table) notFound(key string) error {
	return model.Errorf(model.CodeNotFound, "%s %q does not exist", t.noun, key).
		WithHint("see `%s`", t.list)
}

// ambiguous names the first few rows whose ids begin with key.
func (t table) ambiguous(ctx context.Context, q querier, key string) error {
	names, err := column(ctx, q, "SELECT name || ' (' || id || ')' FROM "+t.name+" WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY seq LIMIT 9", key)
	if err != nil {
		return wrap(err, fmt.Sprintf("reading %s %q", t.noun, key))
	}
	const shown = 8
	if len(names) > shown {
		names = append(names[:shown], "...")
	}
	return model.Errorf(model.CodeConflict, "%q begins the ids of several %ss: %s", key, t.noun, strings.Join(names, ", ")).
		WithHint("give the name or more of the id")
}

// gone checks that a DELETE has found its row.
func gone(result sql.Result, err error, t table, key string) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return t.notFound(key)
	}
	return err
}

// taken is the error for a name that is in use.
func (t table) taken(name string) error {
	return model.Errorf(model.CodeConflict, "%s name %q is taken", t.noun, name).
		WithHint("choose another name, or see `%s`", t.list)
}

// column returns the strings that the query selects.
func column(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// isHex reports whether key can be the beginning of an id.
func isHex(key string) bool {
	return key != "" && strings.Trim(key, "0123456789abcdef") == ""
}

// encode makes the body of a noun.
func encode(noun any) (string, error) {
	body, err := json.Marshal(noun)
	if err != nil {
		return "", fmt.Errorf("encoding a row: %w", err)
	}
	return string(body), nil
}
