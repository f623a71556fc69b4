package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"banger/internal/model"
)

const (
	// maxBatch bounds how many writes share one commit.
	maxBatch = 128
	// commitLimit bounds one commit, which waits for the disk.
	commitLimit = 30 * time.Second
)

// committer makes writes that arrive while one is on its way to the disk
// share the next commit: a disk that takes 5 ms to sync then does not limit
// 16 callers to 200 writes a second. A write returns when it is durable.
//
// There is no goroutine: of those who wait, the first leads. It commits for
// all that are there, and hands the lead to the first of those who came since.
type committer struct {
	db   *sql.DB
	room reserve // for writes that change or delete what is there

	mu      sync.Mutex
	waiting []*write
	leading bool // somebody commits at the moment
}

// write is one call's part of a commit.
type write struct {
	ctx  context.Context //nolint:containedctx // of the caller, who waits: one that has gone is left out
	fn   func(ctx context.Context, tx *sql.Tx) error
	room bool // may use the reserve
	err  error
	done chan bool // true: finished; false: lead the next commit
}

// commit runs fn in a transaction, with others or alone, and returns when the
// result is durable. When fn returns an error, nothing of it is kept and the
// others are not touched. fn must be quick.
func (c *committer) commit(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	return c.await(ctx, &write{ctx: ctx, fn: fn, done: make(chan bool, 1)})
}

// change is commit for what changes or deletes what is there: on a full disk
// it has the reserve.
func (c *committer) change(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	return c.await(ctx, &write{ctx: ctx, fn: fn, room: true, done: make(chan bool, 1)})
}

func (c *committer) await(ctx context.Context, w *write) error {
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	lead := !c.leading
	c.leading = true
	c.mu.Unlock()
	if lead || !<-w.done {
		c.lead(ctx)
	}
	return w.err
}

// lead commits one batch, in which the leader is the first, and hands on.
func (c *committer) lead(ctx context.Context) {
	batch := c.take()
	c.commitAll(ctx, batch)
	c.mu.Lock()
	if len(c.waiting) > 0 {
		c.waiting[0].done <- false
	} else {
		c.leading = false
	}
	c.mu.Unlock()
	for _, w := range batch[1:] {
		w.done <- true
	}
}

func (c *committer) take() []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxBatch)
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return batch
}

// commitAll sets the result of each write. When the commit itself fails, all
// have failed. The leader's end does not end what others wait for.
func (c *committer) commitAll(ctx context.Context, batch []*write) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	err := c.try(ctx, batch)
	if codeOf(err) == model.CodeNoSpace && mayUseReserve(batch) && c.room.release() {
		err = c.try(ctx, batch)
	}
	for _, w := range batch {
		if w.err == nil {
			w.err = err
		}
	}
}

// try is one transaction of all writes.
func (c *committer) try(ctx context.Context, batch []*write) error {
	return inTx(ctx, c.db, func(tx *sql.Tx) error {
		for _, w := range batch {
			w.err = w.apply(ctx, tx)
			if breaks(w.err) {
				return w.err
			}
		}
		return nil
	})
}

func mayUseReserve(batch []*write) bool {
	return slices.ContainsFunc(batch, func(w *write) bool { return w.room })
}

// breaks tells whether an error is of the database and not of what was
// written: SQLite may have rolled back the whole transaction then.
func breaks(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff != sqlite3.SQLITE_CONSTRAINT
}

// apply runs one write inside the transaction that it shares.
func (w *write) apply(ctx context.Context, tx *sql.Tx) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	result := w.call(ctx, tx)
	end := "RELEASE one"
	if result != nil {
		end = "ROLLBACK TO one; RELEASE one"
	}
	if _, err := tx.ExecContext(ctx, end); err != nil && result == nil {
		return err
	}
	return result
}

// call turns a panic of one caller's code into that caller's error.
func (w *write) call(ctx context.Context, tx *sql.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = model.Errorf(model.CodeInternal, "writing to the database: internal error: %v", p)
		}
	}()
	return w.fn(ctx, tx)
}

// exec is commit for one statement.
func (c *committer) exec(ctx context.Context, query string, args ...any) error {
	return c.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// remove is change for one statement, which deletes. Then there may be room for
// the reserve again.
func (c *committer) remove(ctx context.Context, query string, args ...any) (sql.Result, error) {
	var result sql.Result
	err := c.change(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		result, err = tx.ExecContext(ctx, query, args...)
		return err
	})
	if err == nil {
		c.room.fill()
	}
	return result, err
}
