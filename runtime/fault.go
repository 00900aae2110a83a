package runtime

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"mdlc/runtime/program"
)

// Generated code is no Go code: a fault in it ends the process, and Go's own
// report would be a stack of Go functions. The handler in fault_amd64.s says
// instead which kernel it was. It reads these variables.
var (
	faultLow, faultHigh uintptr // where generated code is
	faultText           unsafe.Pointer
	faultSize           int
	faultNext           uintptr // the handler of Go
)

func faultHandler()
func faultHandlerAddress() uintptr

// faultMessage is what the user reads if kernel k faults.
func faultMessage(k *program.Kernel) []byte {
	return fmt.Appendf(nil, "\nmdlc: internal error: kernel %s%s faulted. The fault is the compiler's, not the model's.\n", k.Name, madeFrom(k))
}

// madeFrom names the lines that a kernel was made from.
func madeFrom(k *program.Kernel) string {
	from := ""
	for i, p := range k.Pos {
		if i == 0 {
			from = ", made from "
		} else {
			from += ", "
		}
		from += p.String()
	}
	return from
}

// announce names the kernel that is about to run.
func announce(message []byte) {
	faultText, faultSize = unsafe.Pointer(unsafe.SliceData(message)), len(message)
}

// saSigInfo is SA_SIGINFO: the handler takes three arguments.
const saSigInfo = 4

// sigaction is the kernel's struct of that name.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

var installFaultHandler = sync.OnceFunc(func() {
	for _, s := range []syscall.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL} {
		var a sigaction
		if sigactionCall(s, nil, &a) != 0 || a.flags&saSigInfo == 0 {
			continue // Go's report will do
		}
		faultNext = a.handler // Go has one handler for all signals
		a.handler = faultHandlerAddress()
		sigactionCall(s, &a, nil)
	}
})

func sigactionCall(s syscall.Signal, set, old *sigaction) syscall.Errno {
	_, _, err := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(set.mask), 0, 0)
	return err
}

// watchFaults finds where the object's code was loaded.
func (o *object) watchFaults() error {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	low, high := ^uintptr(0), uintptr(0)
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var lo, hi uintptr
		if !strings.Contains(lines.Text(), "memfd:"+objectName) {
			continue
		}
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &lo, &hi); err == nil {
			low, high = min(low, lo), max(high, hi)
		}
	}
	if low < high {
		faultLow, faultHigh = low, high
		installFaultHandler()
	}
	return nil
}
