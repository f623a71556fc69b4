package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/store"
	"banger/test/report"
)

// TestManyVMsAreMade: 16 clients create and start VMs beside 10,000 stored
// ones. Each that was acknowledged is in the database afterwards.
func TestManyVMsAreMade(t *testing.T) {
	m := newInMemory(t)
	m.storeVMs(10_000)
	const clients = 16
	each := shared.pick(20, 200)
	var group sync.WaitGroup
	begun, used := time.Now(), processorTime(t)
	for i := range clients {
		group.Go(func() {
			c := m.client()
			for j := range each {
				p := rpc.VMCreateParams{Image: "app", Name: fmt.Sprintf("new-%d-%d", i, j), Start: true}
				if _, err := c.CreateVM(t.Context(), p, model.Discard); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	took := time.Since(begun)
	used = processorTime(t) - used
	list := median(t, 5, func() error { _, err := m.client().ListVMSummaries(t.Context()); return err })
	m.stop()
	missing := m.reopened(clients, each)
	made := clients * each
	shared.time(report.Figure("create and start, 16 clients, 10,000 VMs stored", took.Seconds()*1000/float64(made), "ms/VM").Against(10))
	shared.tell(report.Figure("create and start: processor time of both sides", used.Seconds()*1000/float64(made), "ms/VM"))
	shared.tell(report.Figure("acknowledged and not stored", float64(missing), "VMs").Against(0))
	shared.time(report.Figure("list of 10,000 VMs", list.Seconds()*1000, "ms").Against(100))
}

// reopened counts the acknowledged VMs that another process would not find.
func (m *inMemory) reopened(clients, each int) (missing int) {
	m.t.Helper()
	if err := m.db.Close(); err != nil {
		m.t.Fatal(err)
	}
	db, err := store.Open(m.t.Context(), m.paths.DB())
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	for i := range clients * each {
		row, err := db.VM(m.t.Context(), fmt.Sprintf("new-%d-%d", i/each, i%each))
		if err != nil || row.State != model.VMRunning {
			missing++
		}
	}
	return missing
}

// processorTime returns what the test's process has used: client, daemon and
// guests are all in it.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(t *testing.T, n int, call func() error) time.Duration {
	t.Helper()
	var took []float64
	for range n {
		begun := time.Now()
		if err := call(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begun).Seconds())
	}
	return time.Duration(report.Median(took) * float64(time.Second))
}

// TestMemoryWithManyVMs: a daemon of the built program with 10,000 VMs stored
// that has listed them.
func TestMemoryWithManyVMs(t *testing.T) {
	h := newHome(t)
	h.kill()
	db, err := store.Open(t.Context(), h.paths.DB())
	h.must(err)
	m := &inMemory{t: t, paths: h.paths, db: db}
	m.storeVMs(10_000)
	h.must(db.Close())
	h.boot("")
	for range 10 {
		if n := len(h.vmNames()); n != 10_000 {
			t.Fatalf("%d VMs", n)
		}
	}
	rss := h.memory()
	shared.tell(report.Figure("daemon's memory with 10,000 VMs", float64(rss)/(1<<20), "MB").Against(80))
}

// memory returns the resident set of the daemon in bytes.
func (h *home) memory() int64 {
	h.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.daemon.Process.Pid))
	h.must(err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	h.must(err)
	return kib << 10
}

// TestCyclesLeaveNothing: VMs are made and deleted again and again; then
// descriptors, goroutines and memory are as they were.
func TestCyclesLeaveNothing(t *testing.T) {
	m := newInMemory(t)
	c := m.client()
	cycle := func() {
		if _, err := c.CreateVM(t.Context(), rpc.VMCreateParams{Image: "app", Name: "v", Start: true}, model.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteVM(t.Context(), rpc.VMDeleteParams{Name: "v", Force: true}, model.Discard); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // caches and pools are filled
		cycle()
	}
	before := m.footprint()
	for range shared.pick(200, 1000) {
		cycle()
	}
	after := m.footprint()
	if m.fake.Running() != 0 {
		t.Errorf("%d VMs run", m.fake.Running())
	}
	shared.tell(report.Figure("cycles: more descriptors", float64(after.files-before.files), "files").Against(2))
	shared.tell(report.Figure("cycles: more goroutines", float64(after.goroutines-before.goroutines), "goroutines").Against(5))
	shared.tell(report.Figure("cycles: more memory in use", float64(after.heap-before.heap)/(1<<20), "MB").Against(5))
}

type footprint struct{ files, goroutines, heap int }

// footprint waits for what ends by itself.
func (m *inMemory) footprint() (least footprint) {
	m.t.Helper()
	for i := range 40 {
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			m.t.Fatal(err)
		}
		now := footprint{len(files), runtime.NumGoroutine(), int(mem.HeapAlloc)}
		if i == 0 {
			least = now
		}
		least = footprint{min(least.files, now.files), min(least.goroutines, now.goroutines), min(least.heap, now.heap)}
		time.Sleep(10 * time.Millisecond)
	}
	return least
}

// TestParallelLifecycles: 64 clients do what they like with VMs of their own.
// Nothing fails but what has to, and at the end everybody's VM is as its
// owner knows it.
func TestParallelLifecycles(t *testing.T) {
	h := newHome(t)
	clean := h.traces()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	until := time.Now().Add(time.Duration(shared.pick(10, 600)) * time.Second)
	clients := make([]*client, 64)
	var group sync.WaitGroup
	var total atomic.Int64
	for i := range clients {
		c := &client{h: h, rand: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprintf("v%02d", i), vm: absent, alive: true}
		clients[i] = c
		group.Go(func() {
			for time.Now().Before(until) {
				if err := c.step(); err != nil {
					t.Error(err)
					return
				}
				total.Add(1)
			}
		})
	}
	group.Wait()
	wrong := 0
	for _, c := range clients {
		if err := c.check(); err != nil {
			wrong++
			t.Error(err)
		}
	}
	h.clear()
	if diff := h.settled(clean); diff != "" {
		t.Errorf("left over: %s", diff)
	}
	shared.tell(report.Figure("parallel lifecycles: operations of 64 clients", float64(total.Load()), "operations"))
	shared.tell(report.Figure("parallel lifecycles: VMs not as acknowledged", float64(wrong), "VMs").Against(0))
}
