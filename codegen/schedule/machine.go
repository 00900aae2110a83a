package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Machine is what the scheduler knows of a CPU, or of a GPU, whose lanes are the threads of a warp: a pure table, never measured
// at run time, because block sizes that vary from run to run would be no
// function of the kernel.
type Machine struct {
	Name  string
	Lanes int   // f32 elements of a vector
	Rows  []Row // matrix product rows, the best first
	Tiles []Row // of a GPU: tiles that the warps of a block share
	// Handed is how many accumulators of a product stay in registers where its loops begin and end: storing and loading
	// each one more there takes about as long as a summand of all.
	Handed int
	Tensor []Row // tiles of one warp on tensor cores, which multiply bf16 and f16
	Group  []Row // tiles of groups of four warps that multiply what is in shared memory (Hopper); nil: there are none
	Bytes  []Row // of these, tiles for operands of 8 bits, whose sums have registers beside those of a turn (promote.go)
	Block  int   // contracted indices of one block of a product
	// StridedBlock is that block where neighbouring contracted indices of the row operand
	// lie on different cache lines: a line each must stay in L1 beside the column panel.
	StridedBlock int
	// Stream is from how many bytes on an output is written past the caches: it would push out
	// what other kernels left there, be read from memory first, and be gone when it is wanted. On Emerald Rapids products whose
	// results have 12 MB take a twentieth less for it.
	Stream    int
	BlockRows int // rows of a product's parallel block
	OwnRows   int // of them, where points copy the row operand before they multiply; 0: they never do
	L2        int // bytes
	// SameSet is how many rows of a tile may lie in the same sets of L1. On Zen 3 three of 6×16 cost a third of the speed wherever the buffer
	// happened to lie badly; on Zen 5 eight of 8×32 cost 3%, about as much as the copy, and six of 6×64 nothing.
	SameSet  int
	PackRows int // rows from which on packing the columns in each launch pays even where they are contiguous
	PackCost int // multiplications of a product that take as long as packing an element does
	// ReadGain is what packed operands spare a product that waits for memory for each element, in multiplications. Of panels a CPU reads
	// sooner: 32 tokens of GPT-2 124M take .67 to .76 of their time, packing and all (Zen 4). A GPU reads elements that are half as long.
	ReadGain int
	Kept     int64 // bytes at most of what is packed before a loop
	// Chunk and ProductChunk are the least work of a parallel point, some 10 µs of a core in
	// multiplications of a nest, and some 40 µs in operations of a product.
	Chunk, ProductChunk int
	Points              int // parallel points at most
	Processors          int // of a GPU: blocks that run at a time, where they are large
	// Round is how many bytes the pages of a kernel should pass on between launches, half of what a cache has for all: then they
	// go through blocks of rows, a round of launches each. 0: a page is no launch.
	Round  int
	Panel  int // bytes that a panel of a row may have
	Shared int // bytes that the panels of a point may have together; what is more is in memory. SM80: what a block has without asking
	Slots  int // bytes that the slots of a block may have together if it asks: on Hopper one then has a processor to itself; SM80: what all such GPUs give
}

// WarpThreads are the threads of a warp.
const WarpThreads = 32

// Row is the register block of a matrix product: Rows × Cols accumulators of
// one element, Cols a multiple of the lanes.
type Row struct {
	Rows, Cols int
	Speed      float64 // percent of the best row's, for the choice where a block does not fit a shape
	Tensor     bool    // of tensor cores: multiples of 16 rows and 8 columns
	Group      bool    // of four warps' instructions: multiples of 64 rows
	Warps      [2]int  // that share the rows and the columns, whose operands wait in shared memory; 0: one warp, which reads them in place
}

func (r Row) String() string {
	if r.Group {
		return fmt.Sprintf("%s%dx%d", loop.WGMMA, r.Rows, r.Cols)
	}
	if r.Tensor {
		return fmt.Sprintf("%s%dx%d", loop.MMA, r.Rows, r.Cols)
	}
	return fmt.Sprintf("fma%dx%d", r.Rows, r.Cols)
}

// AVX2 and AVX512 are the two feature levels of x86-64 that have kernels. The speeds of
// AVX2 are of Zen 3. On Zen 4 and Zen 5 all rows of AVX-512 with 15 or more accumulators come within 6% of each other; on Ice Lake
// rows are the better the less they load for each product: 6×64 and 8×48 reached 90% of what is possible, 14×32 84%. 7×32 is for rows of 7 and 14, as pictures of 28×28 have halved.
var (
	AVX2 = &Machine{
		Name: "avx2", Lanes: 8, Handed: 16, Block: 512, StridedBlock: 192, BlockRows: 96, L2: 512 << 10, Stream: 16 << 20, SameSet: 2, PackRows: 32, PackCost: 32, ReadGain: 4, Kept: 1 << 30, Chunk: 1 << 16, ProductChunk: 4 << 20, Points: 256, Panel: unlimited, Shared: unlimited,
		Rows: rows(false, [][3]int{{6, 16, 100}, {4, 24, 98}, {5, 16, 98}, {3, 32, 86}, {8, 8, 75}, {2, 48, 65}, {12, 8, 64}, {1, 96, 48}}),
	}
	AVX512 = &Machine{
		Name: "avx512", Lanes: 16, Handed: 16, Block: 384, StridedBlock: 192, BlockRows: 96, OwnRows: 96, L2: 1 << 20, Stream: 8 << 20, SameSet: 6, PackRows: 32, PackCost: 64, ReadGain: 4, Kept: 1 << 30, Chunk: 1 << 17, ProductChunk: 8 << 20, Points: 256, Panel: unlimited, Shared: unlimited,
		Rows: rows(false, [][3]int{{6, 64, 100}, {8, 48, 99}, {4, 64, 97}, {8, 32, 95}, {5, 64, 98}, {7, 32, 92}, {5, 48, 95}, {3, 80, 90}, {16, 16, 85}, {12, 16, 80}, {2, 128, 75}, {1, 192, 48}}),
	}
)

// unlimited is a size that nothing comes to.
const unlimited = 1 << 40

// SM80 is a GPU of compute capability 8.0 or later. A point is a warp's, of which a GPU wants thousands: so points are
// small, and nothing is packed or cut for caches. The speeds of rows count loads: one a broadcast row, one a register of columns.
var SM80 = &Machine{
	Name: "sm_80", Lanes: 32, Handed: unlimited, Block: unlimited, StridedBlock: unlimited, BlockRows: 8, L2: unlimited, Stream: unlimited, PackRows: unlimited, PackCost: 256, ReadGain: 128, Kept: 16 << 30, Chunk: 1 << 11, ProductChunk: 1 << 16, Points: 1 << 20, Panel: 12 << 10, Shared: 48 << 10,
	Rows: rows(false, [][3]int{{8, 64, 100}, {4, 64, 80}, {8, 32, 75}, {4, 32, 60}, {2, 32, 40}, {1, 32, 25}}),
	Tiles: []Row{
		{Rows: 128, Cols: 128, Speed: 100, Warps: [2]int{2, 2}},
		{Rows: 128, Cols: 64, Speed: 80, Warps: [2]int{2, 2}},
		{Rows: 64, Cols: 128, Speed: 80, Warps: [2]int{2, 2}},
		{Rows: 64, Cols: 64, Speed: 60, Warps: [2]int{2, 2}},
	},
	Tensor:     rows(true, [][3]int{{32, 64, 20}, {64, 32, 20}, {32, 32, 15}, {16, 64, 15}, {64, 16, 15}, {16, 32, 10}, {32, 16, 10}, {16, 16, 6}, {64, 8, 6}, {16, 8, 3}}),
	Processors: 108, Round: 16 << 20, Slots: 99 << 10,
}

// byteCols are the most columns of a group's 64 rows whose sums and those of a turn are in registers together.
const byteCols = 128

// SM90 is Hopper: the products of bf16, f16 and floats of 8 bits that fill a tile are of groups of four warps.
var SM90 = func() *Machine {
	m := *SM80
	m.Name, m.Processors, m.Slots, m.Round = "sm_90a", 132, 227<<10, 24<<20
	for _, r := range [][4]int{{128, 256, 200, 8}, {128, 128, 180, 8}, {64, 256, 150, 4}, {64, 128, 140, 4}, {128, 64, 130, 8}, {64, 64, 110, 4}} {
		row := Row{Rows: r[0], Cols: r[1], Speed: float64(r[2]), Tensor: true, Group: true, Warps: [2]int{r[3], 1}}
		if m.Group = append(m.Group, row); row.Cols <= byteCols {
			m.Bytes = append(m.Bytes, row)
		}
	}
	return &m
}()

func rows(tensor bool, list [][3]int) []Row {
	var out []Row
	for _, r := range list {
		out = append(out, Row{Rows: r[0], Cols: r[1], Speed: float64(r[2]), Tensor: tensor})
	}
	return out
}
