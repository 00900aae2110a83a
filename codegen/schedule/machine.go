package schedule

import "fmt"

// Machine is what the scheduler knows of a CPU: a pure table, never measured
// at run time, because block sizes that vary from run to run would be no
// function of the kernel.
type Machine struct {
	Name      string
	Lanes     int // f32 elements of a vector
	Registers int
	Rows      []Row // matrix product rows, the best first
	L1, L2    int   // bytes of one core's caches
	Block     int   // contracted indices of one block of a product
}

// Row is the register block of a matrix product: Rows × Cols accumulators of
// one element, Cols a multiple of the lanes.
type Row struct{ Rows, Cols int }

func (r Row) String() string { return fmt.Sprintf("fma%dx%d", r.Rows, r.Cols) }

// AVX2 and AVX512 are the two feature levels of x86-64 that have kernels.
var (
	AVX2 = &Machine{
		Name: "avx2", Lanes: 8, Registers: 16,
		Rows: []Row{{6, 16}, {4, 24}, {12, 8}, {3, 32}, {2, 48}, {1, 96}},
		L1:   32 << 10, L2: 512 << 10, Block: 512,
	}
	AVX512 = &Machine{
		Name: "avx512", Lanes: 16, Registers: 32,
		Rows: []Row{{6, 64}, {8, 48}, {12, 32}, {24, 16}, {4, 80}, {2, 96}, {1, 192}},
		L1:   48 << 10, L2: 1280 << 10, Block: 384,
	}
)

// MachineNamed finds a machine of the table.
func MachineNamed(name string) (*Machine, error) {
	for _, m := range []*Machine{AVX2, AVX512} {
		if m.Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("no machine %q: there are avx2 and avx512", name)
}
