package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"mdlc/codegen"
	"mdlc/runtime"
)

type doctorCommand struct{}

func (doctorCommand) Run(t *terminal) error {
	wrong := 0
	line := func(what string, err error, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if err != nil {
			wrong++
			text = "missing: " + err.Error()
		}
		fmt.Fprintf(t.stdout, "%-8s %s\n", what, text)
	}
	line("mdlc", nil, "%s, %s, %s/%s", version(), goruntime.Version(), goruntime.GOOS, goruntime.GOARCH)
	line("cpu", nil, "%s, %d threads for this process", runtime.CPUName(), runtime.Threads(0))
	target, err := codegen.HostTarget()
	if err == nil {
		line("target", nil, "%s (vectors of %d bytes)", target.Name, target.Vector)
	} else {
		line("target", err, "")
	}
	tools, err := codegen.FindTools()
	if err == nil {
		line("llvm", nil, "%s", strings.Join(strings.Split(strings.TrimSpace(tools.Version), "\n"), ", "))
		line("", nil, "%s %s %s", tools.Opt, tools.Llc, tools.Lld)
	} else {
		line("llvm", err, "")
	}
	devices, noGPU := runtime.Devices()
	for i, d := range devices {
		line([]string{"devices", ""}[min(i, 1)], nil, "%s: %s", d.Name, d.Title)
	}
	if noGPU != nil {
		line("", nil, "no cuda: %v", noGPU)
	}
	cache, err := codegen.OpenCache("")
	if err == nil {
		files, bytes := folderSize(cache.Dir())
		line("cache", nil, "%s: %d objects, %.1f MiB", cache.Dir(), files, float64(bytes)/(1<<20))
	} else {
		line("cache", err, "")
	}
	if wrong > 0 {
		return reported{code: exitFailure}
	}
	return nil
}

func folderSize(dir string) (files int, bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				files++
				bytes += info.Size()
			}
		}
		return nil
	})
	return files, bytes
}
