package codegen

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"github.com/llir/llvm/ir/types"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
)

// Target is a machine that kernels are compiled for. The bits that a kernel
// computes depend on it only through what the schedule chooses.
type Target struct {
	Name    string // avx2, avx512, sm_80 or sm_90a
	Machine *schedule.Machine
	CPU     string // as LLVM names it
	Attrs   string // features on top, as LLVM's -mattr
	Vector  int    // bytes of a vector register
	Narrow  bool   // has masked loads and stores of elements of one and two bytes, and scatters
	Ternary bool   // has bit operations of three operands
	GPU     bool   // the lanes of a vector are the threads of a warp, and the code is PTX
	// Accumulators are how many a micro-kernel has at most: its operands need some registers, too.
	Accumulators int
	needs        []cpuid.FeatureID
}

// targets are the known levels of x86-64, best first, and GPUs.
var targets = []*Target{
	{
		Name: "avx512", Machine: schedule.AVX512, CPU: "x86-64-v4", Attrs: "-prefer-256-bit", Vector: 64, Narrow: true, Ternary: true, Accumulators: 24,
		needs: []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.BMI2, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512CD, cpuid.AVX512DQ, cpuid.AVX512VL},
	},
	{
		Name: "avx2", Machine: schedule.AVX2, CPU: "x86-64-v3", Vector: 32, Accumulators: 12,
		needs: []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.BMI2},
	},
	{Name: "sm_80", Machine: schedule.SM80, CPU: "sm_80", Attrs: "+ptx80", Vector: 128, GPU: true},
	{Name: "sm_90a", Machine: schedule.SM90, CPU: "sm_90a", Attrs: "+ptx80", Vector: 128, GPU: true},
}

// Lanes is the number of lanes of f32.
func (t *Target) Lanes() int { return t.Vector / 4 }

// pointer is the type of the addresses of buffers.
func (t *Target) pointer() types.Type {
	if t.GPU {
		return llir.GlobalPtr
	}
	return llir.Ptr
}

// TargetNames lists the known targets.
func TargetNames() []string {
	var out []string
	for _, t := range targets {
		out = append(out, t.Name)
	}
	return out
}

// TargetNamed finds a target; compiling for one does not need the machine to have it.
func TargetNamed(name string) (*Target, error) {
	for _, t := range targets {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("unknown target %q; there are %s", name, strings.Join(TargetNames(), ", "))
}

// HostTarget is the best target that this machine's processor runs.
func HostTarget() (*Target, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("compiled kernels need an x86-64 CPU, this is %s; use the reference device", runtime.GOARCH)
	}
	var least *Target
	for _, t := range targets {
		switch {
		case t.GPU:
		case len(t.Missing()) == 0:
			return t, nil
		default:
			least = t
		}
	}
	return nil, fmt.Errorf("this CPU (%s) lacks %s, which the target %s needs; use the reference device",
		cpuid.CPU.BrandName, strings.Join(least.Missing(), ", "), least.Name)
}

// HostTargets are all targets that this machine's processor runs, best first.
func HostTargets() []*Target {
	var out []*Target
	for _, t := range targets {
		if !t.GPU && len(t.Missing()) == 0 {
			out = append(out, t)
		}
	}
	return out
}

// Missing names the features of the target that this machine lacks.
func (t *Target) Missing() []string {
	var out []string
	for _, f := range t.needs {
		if !cpuid.CPU.Supports(f) {
			out = append(out, f.String())
		}
	}
	return out
}
