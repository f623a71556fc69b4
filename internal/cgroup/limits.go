package cgroup

import "strconv"

// Limits are what the processes of a group may use together. Zero: no limit.
type Limits struct {
	MemoryBytes int64
	MilliCPUs   int // thousandths of one processor
	Processes   int // threads count too
}

// cpuPeriod is the time in microseconds over which processor time is counted
// out; the kernel's default (Documentation/scheduler/sched-bwc.rst).
const cpuPeriod = 100_000

// setting is one value of one controller, in the file of its group.
type setting struct {
	controller string
	file       string
	value      string
	optional   bool // kernels are built without it
}

// settings2 are limits for version 2 (Documentation/admin-guide/cgroup-v2.rst).
// With oom.group the whole VM goes when its memory is over: half of one is
// worth nothing.
func settings2(l Limits) []setting {
	var s []setting
	if l.MemoryBytes > 0 {
		s = append(s,
			setting{"memory", "memory.max", strconv.FormatInt(l.MemoryBytes, 10), false},
			setting{"memory", "memory.swap.max", "0", true},
			setting{"memory", "memory.oom.group", "1", true})
	}
	if l.MilliCPUs > 0 {
		s = append(s, setting{"cpu", "cpu.max", strconv.Itoa(l.MilliCPUs*cpuPeriod/1000) + " " + strconv.Itoa(cpuPeriod), false})
	}
	if l.Processes > 0 {
		s = append(s, setting{"pids", "pids.max", strconv.Itoa(l.Processes), false})
	}
	return s
}

// settings1 are limits for version 1 (Documentation/admin-guide/cgroup-v1/
// memory.rst, pids.rst and scheduler/sched-bwc.rst).
func settings1(l Limits) []setting {
	var s []setting
	if l.MemoryBytes > 0 {
		bytes := strconv.FormatInt(l.MemoryBytes, 10)
		s = append(s,
			setting{"memory", "memory.limit_in_bytes", bytes, false},
			setting{"memory", "memory.memsw.limit_in_bytes", bytes, true})
	}
	if l.MilliCPUs > 0 {
		s = append(s,
			setting{"cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false},
			setting{"cpu", "cpu.cfs_quota_us", strconv.Itoa(l.MilliCPUs * cpuPeriod / 1000), false})
	}
	if l.Processes > 0 {
		s = append(s, setting{"pids", "pids.max", strconv.Itoa(l.Processes), false})
	}
	return s
}
