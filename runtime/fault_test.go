package runtime

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

func TestFaultNamesKernelAndLine(t *testing.T) {
	if os.Getenv("MDLC_TEST_FAULT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFaultNamesKernelAndLine$")
		cmd.Env = append(os.Environ(), "MDLC_TEST_FAULT=1")
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
		require.Contains(t, string(out), "internal error: kernel crash, made from m.mdl:12:3 faulted")
		require.NotContains(t, string(out), "goroutine")
		return
	}
	p := incrementer(t, 1)
	p.Kernels = append(p.Kernels, kernel("crash", 1, index.C(2)))
	p.Kernels[1].Pos = []loop.Pos{{File: "m.mdl", Line: 12, Col: 3}}
	p.Entries[0].Block.Code = append(p.Entries[0].Block.Code, launchOf(1, nil, 0))
	m := load(t, p, 2)
	_ = m.entries[0].block.run(nil)
}

// Faults of Go code still are panics of Go.
func TestGoFaultsStayGos(t *testing.T) {
	load(t, incrementer(t, 1), 1)
	var k *program.Kernel
	require.Panics(t, func() { _ = k.Name })
}
