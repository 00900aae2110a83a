package runtime

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// controlGroups are the folders of this process's control group for a controller and of
// the groups above, of version 2 and of version 1, as far as they may exist.
func controlGroups(root, self, controller string) (dirs []string) {
	for line := range strings.Lines(readText(self)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 || part[1] != "" && !strings.Contains(","+part[1]+",", ","+controller+",") {
			continue
		}
		for group := path.Clean("/" + part[2]); ; group = path.Dir(group) {
			dirs = append(dirs, path.Join(root, part[1], group))
			if group == "/" {
				break
			}
		}
	}
	return dirs
}

// cpuQuota is the number of whole CPUs that the groups allow, rounded up.
func cpuQuota(groups []string) (cpus int, limited bool) {
	for _, dir := range groups {
		quota, period, _ := strings.Cut(readText(path.Join(dir, "cpu.max")), " ")
		if quota == "" {
			quota, period = readText(path.Join(dir, "cpu.cfs_quota_us")), readText(path.Join(dir, "cpu.cfs_period_us"))
		}
		if q, p := number(quota), number(period); q > 0 && p > 0 {
			if n := max(1, int((q+p-1)/p)); !limited || n < cpus {
				cpus, limited = n, true
			}
		}
	}
	return cpus, limited
}

// memoryLimit is the number of bytes that the groups allow.
func memoryLimit(groups []string) (bytes int64, limited bool) {
	for _, dir := range groups {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			if n := int64(number(readText(path.Join(dir, name)))); n > 0 && (!limited || n < bytes) {
				bytes, limited = n, true
			}
		}
	}
	return bytes, limited
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
