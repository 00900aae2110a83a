//go:build cuda

package sys

// #include "sys.h"
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Step is a launch of a kernel, of blocks of threads (both in x alone), or, where Threads is 0, a word of memory that is set.
type Step struct {
	Kernel                  cu.Function
	Blocks, Threads, Shared int
	Args                    []uint64 // parameters of 8 bytes, then those of tensor maps
	Maps                    int      // how many tensor maps

	At   cu.DevicePtr
	Word uint32
}

// c is s for C, but for its arguments.
func (s *Step) c() C.struct_mdlc_step {
	if s.Threads == 0 {
		return C.struct_mdlc_step{at: C.CUdeviceptr(s.At), word: C.uint(s.Word)}
	}
	return C.struct_mdlc_step{function: function(s.Kernel), blocks: C.uint(s.Blocks), threads: C.uint(s.Threads), shared: C.uint(s.Shared), maps: C.int(s.Maps)}
}

func arguments(args []uint64) (*C.uint64_t, C.int) {
	return (*C.uint64_t)(unsafe.SliceData(args)), C.int(len(args))
}

// Graph is steps one after another, which are launched as one.
type Graph struct {
	graph C.CUgraph // its nodes are the names of those of exec
	exec  C.CUgraphExec
	nodes []C.CUgraphNode
}

// NewGraph makes a graph that has no steps yet.
func NewGraph() (*Graph, error) {
	g := &Graph{}
	return g, check(C.cuGraphCreate(&g.graph, 0))
}

// Add adds a step after the last.
func (g *Graph) Add(s Step) error {
	var last C.CUgraphNode
	if n := len(g.nodes); n > 0 {
		last = g.nodes[n-1]
	}
	args, n := arguments(s.Args)
	err := check(C.mdlc_add_step(g.graph, &last, s.c(), args, n))
	if err == nil {
		g.nodes = append(g.nodes, last)
	}
	return err
}

// Finish makes g ready to be launched.
func (g *Graph) Finish() error { return check(C.cuGraphInstantiate(&g.exec, g.graph, 0)) }

// Set makes step i another, of the same kernel if it is one, for launches from now on. Those asked for before stay as they were.
func (g *Graph) Set(i int, s Step) error {
	args, n := arguments(s.Args)
	return check(C.mdlc_set_step(g.exec, g.nodes[i], s.c(), args, n))
}

// Launch launches all steps.
func (g *Graph) Launch(s cu.Stream) error { return check(C.cuGraphLaunch(g.exec, stream(s))) }

// Destroy frees the graph, as far as it was made.
func (g *Graph) Destroy() error {
	var err error
	if g.exec != nil {
		err = check(C.cuGraphExecDestroy(g.exec))
	}
	if g.graph != nil {
		if e := check(C.cuGraphDestroy(g.graph)); err == nil {
			err = e
		}
	}
	return err
}
