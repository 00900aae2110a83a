package runtime

import (
	"fmt"
	"strings"

	"mdlc/runtime/program"
)

// Device is a place where programs can run.
type Device struct {
	Name  string // as users say it: cpu, emulator, cuda:0
	Title string // what it is
	Arch  string // of a GPU, the architecture that programs for it have: sm_80; "": host code

	// check refuses a program before anything is allocated; need is the bytes of its buffers.
	check func(p *program.Program, need int64, threads int) error
	open  func(p *program.Program, threads int) (device, error)
}

var onCPU = &Device{Name: "cpu", check: checkCPU, open: func(p *program.Program, threads int) (device, error) { return newCPU(p, threads) }}

// FindDevice finds the device that a user names. An empty name is the CPU.
func FindDevice(name string) (*Device, error) {
	switch kind, _, _ := strings.Cut(name, ":"); kind {
	case "", "cpu":
		return onCPU, nil
	case "emulator":
		return emulated, nil
	}
	return nil, fmt.Errorf("unknown device %s; there are cpu, emulator and cuda", name)
}

func checkCPU(p *program.Program, need int64, threads int) error {
	if err := CheckTarget(p.Target); err != nil {
		return err
	}
	return checkMemory(need + int64(Threads(threads))*scratchOf(localOf(p)))
}
