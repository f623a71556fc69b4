package qemu

import (
	"context"
	"errors"
	"fmt"

	"banger/internal/proc"
	"banger/internal/vmm"
)

// blockStats is a part of BlockStats of QEMU's qapi/block-core.json.
type blockStats struct {
	NodeName string `json:"node-name"`
	Stats    struct {
		ReadBytes  int64 `json:"rd_bytes"`
		WriteBytes int64 `json:"wr_bytes"`
		Reads      int64 `json:"rd_operations"`
		Writes     int64 `json:"wr_operations"`
	} `json:"stats"`
}

// Usage implements vmm.Machine.
func (m *machine) Usage(ctx context.Context) (vmm.Usage, error) {
	if err := m.unusable(); err != nil {
		return vmm.Usage{}, fmt.Errorf("measuring the VM: %w", err)
	}
	usage, err := m.usage(ctx)
	if errors.Is(err, proc.ErrGone) || err != nil && m.process.Ended() {
		err = vmm.ErrGone
	}
	if err != nil {
		return vmm.Usage{}, fmt.Errorf("measuring the VM: %w", err)
	}
	return usage, nil
}

func (m *machine) usage(ctx context.Context) (vmm.Usage, error) {
	cpu, err := proc.CPUTime(m.rec.Process)
	if err != nil {
		return vmm.Usage{}, err
	}
	memory, err := proc.Resident(m.rec.Process)
	if err != nil {
		return vmm.Usage{}, err
	}
	var nodes []blockStats
	if err := m.monitor.execute(ctx, "query-blockstats", &nodes); err != nil {
		return vmm.Usage{}, err
	}
	return vmm.Usage{CPU: cpu, MemoryBytes: memory, Disks: disksOf(nodes)}, nil
}

// disksOf picks the disks of Args out of what QEMU tells, in their order.
func disksOf(nodes []blockStats) []vmm.DiskUsage {
	byName := map[string]blockStats{}
	for _, n := range nodes {
		byName[n.NodeName] = n
	}
	var disks []vmm.DiskUsage
	for {
		n, ok := byName[diskNode(len(disks))]
		if !ok {
			return disks
		}
		disks = append(disks, vmm.DiskUsage{ReadBytes: n.Stats.ReadBytes, WriteBytes: n.Stats.WriteBytes, Reads: n.Stats.Reads, Writes: n.Stats.Writes})
	}
}
