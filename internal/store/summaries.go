package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sync"

	"banger/internal/model"
)

// summaries keeps the summary of each VM in memory: to list thousands of VMs
// costs no reading and decoding of as many rows.
//
// It never says less than what is committed: a writer names the row that it
// has changed after its commit and before it answers, and the next list reads
// that row again.
type summaries struct {
	mu     sync.Mutex
	stale  map[string]bool // ids of rows that changed since they were read
	bySeq  []sequenced
	loaded bool
}

type sequenced struct {
	seq int64
	model.VMSummary
}

// changed is called after each commit that may have touched the VM's row.
func (m *summaries) changed(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale == nil {
		m.stale = map[string]bool{}
	}
	m.stale[id] = true
}

// VMSummaries returns the summaries of all VMs, oldest first. Labels are
// shared between calls and must not be changed.
func (s *Store) VMSummaries(ctx context.Context) ([]model.VMSummary, error) {
	m := &s.summaries
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, s.read); err != nil {
		return nil, wrap(err, "listing VMs")
	}
	list := make([]model.VMSummary, len(m.bySeq))
	for i := range m.bySeq {
		list[i] = m.bySeq[i].VMSummary
	}
	return list, nil
}

func (m *summaries) refresh(ctx context.Context, q querier) error {
	if !m.loaded {
		all, err := readSummaries(ctx, q, "SELECT seq, body FROM vms ORDER BY seq")
		if err != nil {
			return err
		}
		m.bySeq, m.stale, m.loaded = all, nil, true
	}
	for id := range m.stale {
		found, err := readSummaries(ctx, q, "SELECT seq, body FROM vms WHERE id = ?", id)
		if err != nil {
			return err
		}
		m.put(id, found)
		delete(m.stale, id)
	}
	return nil
}

// put makes found, the row of that id or nothing, what is remembered of it.
func (m *summaries) put(id string, found []sequenced) {
	if len(found) == 0 {
		m.bySeq = slices.DeleteFunc(m.bySeq, func(s sequenced) bool { return s.ID == id })
		return
	}
	at, known := slices.BinarySearchFunc(m.bySeq, found[0].seq, func(s sequenced, seq int64) int {
		return int(s.seq - seq)
	})
	if known {
		m.bySeq[at] = found[0]
		return
	}
	m.bySeq = slices.Insert(m.bySeq, at, found[0])
}

func readSummaries(ctx context.Context, q querier, query string, args ...any) ([]sequenced, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []sequenced
	var body sql.RawBytes
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, err
		}
		var vm model.VM
		if err := json.Unmarshal(body, &vm); err != nil {
			return nil, model.Errorf(model.CodeIntegrity, "decoding a row: %w", err)
		}
		found = append(found, sequenced{seq, vm.Summary()})
	}
	return found, rows.Err()
}
