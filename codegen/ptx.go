package codegen

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"mdlc/runtime/program"
)

const hostTriple = "x86_64-unknown-linux-gnu"

// ptxPreamble begins the modules of a GPU. The memory that the warps of a block keep panels in is as large as the launch says. The
// zeros are what loads that do not branch read where their guard is false.
const ptxPreamble = `target datalayout = "e-i64:64-i128:128-v16:16-v32:32-n16:32:64"

@` + sharedSymbol + ` = external addrspace(3) global [0 x i8], align 1024
@` + ptxZeros + ` = internal unnamed_addr addrspace(1) constant [4 x i32] zeroinitializer, align 16

`

const ptxZeros = "mdlc_zeros"

func (t *Target) triple() string {
	if t.GPU {
		return program.NVPTX
	}
	return hostTriple
}

func (t *Target) preamble() string {
	if t.GPU {
		return ptxPreamble
	}
	return preamble
}

// ptxBackend are llc's flags for PTX: every operation rounds on its own.
var ptxBackend = []string{"-O3", "-fp-contract=off", "-disable-verify"}

// ptx compiles modules side by side and joins them to one.
func (t *Tools) ptx(mods []module, o Options) ([]byte, error) {
	texts := make([]string, len(mods))
	errs := make([]error, len(mods))
	var wg sync.WaitGroup
	for i, m := range mods {
		wg.Go(func() { texts[i], errs[i] = t.ptxOf(m, o) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, outOfSpace(err, os.TempDir())
	}
	return []byte(joinPTX(texts)), nil
}

func (t *Tools) ptxOf(m module, o Options) (string, error) {
	target := []string{"-mcpu=" + o.Target.CPU, "-mattr=" + o.Target.Attrs}
	bitcode, err := run(t.Opt, append([]string{"-passes=" + o.passes(), "-o", "-"}, target[0]), []byte(m.text))
	if err != nil {
		return "", fmt.Errorf("internal error: LLVM rejects emitted code: %w", err)
	}
	text, err := run(t.Llc, slices.Concat(ptxBackend, []string{"-filetype=asm", "-o", "-"}, target), bitcode)
	if err != nil {
		return "", fmt.Errorf("internal error: llc: %w", err)
	}
	return clusterSize.ReplaceAllString(string(text), ".explicitcluster\n.reqnctapercluster $1, 1, 1"), nil
}

// clusterSize is how LLVM 19 writes how many blocks a cluster has at most. That it has so many always, it has no word for.
var clusterSize = regexp.MustCompile(`(?m)^\.maxclusterrank (\d+)`)

// joinPTX makes one module of several, which begin alike and declare the same shared memory.
func joinPTX(texts []string) string {
	var out strings.Builder
	declared := map[string]bool{}
	for i, text := range texts {
		zeros := strings.Count(text, ptxZeros) > 1
		for line := range strings.Lines(text) {
			header := strings.HasPrefix(line, ".version") || strings.HasPrefix(line, ".target") || strings.HasPrefix(line, ".address_size")
			if i > 0 && (header || strings.HasPrefix(line, "//")) {
				continue
			}
			defines := strings.Contains(line, ptxZeros+"[16]")
			if defines && !zeros {
				continue
			}
			if strings.HasPrefix(line, ".extern") || defines {
				if declared[line] {
					continue
				}
				declared[line] = true
			}
			out.WriteString(line)
		}
	}
	return out.String()
}
