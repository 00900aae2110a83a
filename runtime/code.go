package runtime

import (
	"fmt"
	goruntime "runtime"
	"strings"

	"github.com/ebitengine/purego"
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/unix"

	"mdlc/runtime/program"
)

// object is a program's machine code in this process.
type object struct {
	handle uintptr
	fd     int // of the memory that it was loaded from
}

const objectName = "mdlc-program"

func loadObject(code []byte) (*object, error) {
	fd, err := unix.MemfdCreate(objectName, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot hold the program's code in memory: %w", err)
	}
	// The descriptor stays open as long as the code is loaded: the loader knows
	// code by its path, and a second program must not get the path of the first.
	o := &object{fd: fd}
	for len(code) > 0 {
		n, err := unix.Write(fd, code)
		if err != nil {
			o.close()
			return nil, fmt.Errorf("cannot hold the program's code in memory: %w", err)
		}
		code = code[n:]
	}
	o.handle, err = purego.Dlopen(fmt.Sprintf("/proc/self/fd/%d", fd), purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err == nil {
		err = o.watchFaults()
	}
	if err != nil {
		o.close()
		return nil, fmt.Errorf("cannot load the program's code: %w", err)
	}
	return o, nil
}

func (o *object) symbol(name string) (uintptr, error) {
	addr, err := purego.Dlsym(o.handle, name)
	if err != nil {
		return 0, fmt.Errorf("the program's code lacks %s", name)
	}
	return addr, nil
}

func (o *object) close() {
	if o.handle != 0 {
		_ = purego.Dlclose(o.handle)
	}
	_ = unix.Close(o.fd)
}

// features maps LLVM's names of what code may need to what this CPU says.
var features = map[string]cpuid.FeatureID{
	"sse3": cpuid.SSE3, "ssse3": cpuid.SSSE3, "sse4.1": cpuid.SSE4, "sse4.2": cpuid.SSE42, "popcnt": cpuid.POPCNT,
	"avx": cpuid.AVX, "avx2": cpuid.AVX2, "fma": cpuid.FMA3, "f16c": cpuid.F16C, "bmi": cpuid.BMI1, "bmi2": cpuid.BMI2,
	"lzcnt": cpuid.LZCNT, "movbe": cpuid.MOVBE, "vaes": cpuid.VAES, "aes": cpuid.AESNI, "gfni": cpuid.GFNI,
	"avx512f": cpuid.AVX512F, "avx512bw": cpuid.AVX512BW, "avx512cd": cpuid.AVX512CD, "avx512dq": cpuid.AVX512DQ,
	"avx512vl": cpuid.AVX512VL, "avx512vnni": cpuid.AVX512VNNI, "avx512bf16": cpuid.AVX512BF16, "avx512fp16": cpuid.AVX512FP16,
	"avx512ifma": cpuid.AVX512IFMA, "avx512vbmi": cpuid.AVX512VBMI, "avx512vbmi2": cpuid.AVX512VBMI2,
	"avx512vpopcntdq": cpuid.AVX512VPOPCNTDQ, "avx512bitalg": cpuid.AVX512BITALG,
}

// CheckTarget says what this machine lacks to run code for t.
func CheckTarget(t program.Target) error {
	if want := "x86_64-linux"; t.Triple != want && t.Triple != "" || goruntime.GOARCH != "amd64" {
		return fmt.Errorf("this program is for %s; this machine is %s-%s: compile the model here", t.Triple, goruntime.GOARCH, goruntime.GOOS)
	}
	var missing []string
	for _, f := range t.Features {
		if !hasFeature(f) {
			missing = append(missing, f)
		}
	}
	if missing != nil {
		return fmt.Errorf("this program needs %s, which this CPU (%s) lacks: compile the model on this machine", strings.Join(missing, ", "), CPUName())
	}
	return nil
}

// hasFeature knows a feature by LLVM's name or by the name of the manuals.
func hasFeature(name string) bool {
	id, known := features[strings.ToLower(name)]
	if !known {
		id = cpuid.ParseFeature(strings.ToUpper(name))
	}
	return id != cpuid.UNKNOWN && cpuid.CPU.Supports(id)
}

// CPUName is the processor's own name.
func CPUName() string {
	if cpuid.CPU.BrandName == "" {
		return "unknown"
	}
	return cpuid.CPU.BrandName
}
