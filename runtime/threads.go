package runtime

import (
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// Threads is how many threads work at once: what is asked for (0: all), but no
// more than the affinity mask and the CPU quota allow.
func Threads(asked int) int {
	n := goruntime.NumCPU()
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		n = set.Count()
	}
	if q, ok := cpuQuota(controlGroups("/sys/fs/cgroup", "/proc/self/cgroup", "cpu")); ok {
		n = min(n, q)
	}
	if asked > 0 {
		n = min(n, asked)
	}
	return max(n, 1)
}
