package runtime

import (
	"os"
	"path"
	goruntime "runtime"
	"strconv"
	"strings"

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
	if q, ok := cpuQuota("/sys/fs/cgroup", "/proc/self/cgroup"); ok {
		n = min(n, q)
	}
	if asked > 0 {
		n = min(n, asked)
	}
	return max(n, 1)
}

// cpuQuota is the number of whole CPUs that the control groups of this process
// allow, rounded up: the least over its group and those above.
func cpuQuota(root, self string) (cpus int, limited bool) {
	text, err := os.ReadFile(self)
	if err != nil {
		return 0, false
	}
	note := func(quota, period float64) {
		if quota > 0 && period > 0 {
			n := max(1, int((quota+period-1)/period))
			if !limited || n < cpus {
				cpus, limited = n, true
			}
		}
	}
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		for group := path.Clean("/" + part[2]); ; group = path.Dir(group) {
			if part[1] == "" {
				if f := strings.Fields(readText(path.Join(root, group, "cpu.max"))); len(f) == 2 {
					note(number(f[0]), number(f[1]))
				}
			} else if strings.Contains(","+part[1]+",", ",cpu,") {
				dir := path.Join(root, part[1], group)
				note(number(readText(path.Join(dir, "cpu.cfs_quota_us"))), number(readText(path.Join(dir, "cpu.cfs_period_us"))))
			}
			if group == "/" {
				break
			}
		}
	}
	return cpus, limited
}

func readText(name string) string {
	text, _ := os.ReadFile(name) // absent: no limit
	return strings.TrimSpace(string(text))
}

// number is 0 for what is no number, as "max".
func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}
