package runtime

import (
	"fmt"
	"strconv"
	"strings"

	"mdlc/runtime/program"
)

// Device is a place where programs can run.
type Device struct {
	Name  string // as users say it: cpu, emulator, cuda:0
	Title string // what it is
	Arch  string // of a GPU, the architecture that programs for it have: sm_80; "": code for this CPU

	Emulated bool // how fast it is says nothing of a GPU

	runs  func(t program.Target) error                        // refuses programs for other machines
	holds func(p *program.Program, need int64, s Setup) error // refuses programs whose buffers need too much memory
	open  func(p *program.Program, s Setup) (device, error)
}

// Holds tells whether there is memory for p, or for the compiled program whose outline p is at least for that.
func (d *Device) Holds(p *program.Program, s Setup) error { return d.holds(p, memoryOf(p), s) }

// FindDevice finds the device that a user names: cpu (or nothing), emulator, emulator:low, emulator:high, cuda,
// cuda:N, or auto, which is a GPU where there is one. why says what made auto choose. An unknown name is a
// FlagError; other errors say why the device cannot be had, and what to do.
func FindDevice(name string) (d *Device, why string, err error) {
	switch kind, index, numbered := strings.Cut(name, ":"); {
	case name == "" || name == "cpu":
		return onCPU, "", nil
	case name == "emulator":
		return emulated, "", nil
	case kind == "emulator" && emulatedEnds[index] != nil:
		return emulatedEnds[index], "", nil
	case name == "auto":
		if d, err = findCUDA(0); err != nil {
			return onCPU, "no GPU: " + err.Error(), nil
		}
		return d, "there is a GPU", nil
	case kind == "cuda":
		n, err := strconv.Atoi(index)
		if numbered && (err != nil || n < 0) {
			return nil, "", flagError("--device %s: the number of a GPU is expected, as in cuda:0", name)
		}
		d, err = findCUDA(n)
		return d, "", err
	}
	return nil, "", flagError("--device %s: there are cpu, emulator, emulator:low, emulator:high, cuda, cuda:N and auto", name)
}

// Devices lists what programs can run on here, and why there is no GPU where there is none.
func Devices() (devices []*Device, noGPU error) {
	devices = []*Device{onCPU, emulated}
	for n := 0; ; n++ {
		d, err := findCUDA(n)
		if err != nil {
			if n > 0 {
				err = nil
			}
			return devices, err
		}
		devices = append(devices, d)
	}
}

var onCPU = &Device{Name: "cpu", Title: CPUName(), runs: runsOnCPU, holds: cpuHolds,
	open: func(p *program.Program, s Setup) (device, error) { return newCPU(p, s.Threads) }}

func runsOnCPU(t program.Target) error {
	if arch := t.Arch(); arch != "" {
		return fmt.Errorf("this program is for a GPU (%s): --device cuda or --device emulator runs it", arch)
	}
	return CheckTarget(t)
}

func cpuHolds(p *program.Program, need int64, s Setup) error {
	return checkMemory(need + int64(Threads(s.Threads))*scratchOf(localOf(p)))
}
