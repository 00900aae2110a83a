//go:build cuda

package fake

/*
#include "fake.h"
*/
import "C"

import (
	"slices"
	"unsafe"
)

type (
	graph struct{ nodes []*node }
	node  struct {
		of     *graph
		after  []*node
		kernel C.CUfunction // nil: it sets words
		work   func()
	}
	// executable is a graph that is to be launched. Its nodes have the names of the graph's, as long as there is one.
	executable struct {
		order []*node
		work  map[*node]func()
	}
)

//export fake_cuGraphCreate
func fake_cuGraphCreate(g *C.CUgraph, _ C.uint) C.CUresult {
	d, r := forGraphs()
	defer d.mu.Unlock()
	if r == 0 {
		*g = C.CUgraph(pointer(d.handle(&graph{})))
	}
	return r
}

// add adds a node to a graph.
func (d *Driver) add(to *C.CUgraphNode, h C.CUgraph, after *C.CUgraphNode, count C.size_t, n *node) C.CUresult {
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	if !ok {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	for _, h := range unsafe.Slice(after, count) {
		before, ok := get[*node](d, uintptr(unsafe.Pointer(h)))
		if !ok || before.of != g {
			return C.CUDA_ERROR_INVALID_VALUE
		}
		n.after = append(n.after, before)
	}
	n.of, g.nodes = g, append(g.nodes, n)
	*to = C.CUgraphNode(pointer(d.handle(n)))
	return 0
}

// step is what a node does, and nil or its kernel.
type step func(d *Driver) (kernel C.CUfunction, work func(), r C.CUresult)

// making does with a step what then says, in a driver that is well and has memory.
func making(s step, then func(d *Driver, kernel C.CUfunction, work func()) C.CUresult) C.CUresult {
	d, r := forGraphs()
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	kernel, work, r := s(d)
	if r != 0 {
		return r
	}
	return then(d, kernel, work)
}

// added adds a node to a graph.
func added(to *C.CUgraphNode, g C.CUgraph, after *C.CUgraphNode, count C.size_t, s step) C.CUresult {
	return making(s, func(d *Driver, kernel C.CUfunction, work func()) C.CUresult {
		return d.add(to, g, after, count, &node{kernel: kernel, work: work})
	})
}

// changed gives a node of later launches other work.
func changed(e C.CUgraphExec, n C.CUgraphNode, s step) C.CUresult {
	return making(s, func(d *Driver, kernel C.CUfunction, work func()) C.CUresult { return d.change(e, n, kernel, work) })
}

func launching(p *C.CUDA_KERNEL_NODE_PARAMS) step {
	return func(d *Driver) (C.CUfunction, func(), C.CUresult) {
		work, r := d.launch(p._func, [3]C.uint{p.gridDimX, p.gridDimY, p.gridDimZ}, [3]C.uint{p.blockDimX, p.blockDimY, p.blockDimZ}, p.sharedMemBytes, p.kernelParams, p.extra)
		return p._func, work, r
	}
}

func setting(p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) step {
	return func(d *Driver) (C.CUfunction, func(), C.CUresult) {
		if _, ok := get[string](d, uintptr(unsafe.Pointer(context))); !ok || p.elementSize != 4 || p.height != 1 || p.dst%4 != 0 {
			return nil, nil, C.CUDA_ERROR_INVALID_VALUE
		}
		return nil, d.fill(p.dst, p.value, p.width), 0
	}
}

//export fake_cuGraphAddKernelNode
func fake_cuGraphAddKernelNode(to *C.CUgraphNode, g C.CUgraph, after *C.CUgraphNode, count C.size_t, p *C.CUDA_KERNEL_NODE_PARAMS) C.CUresult {
	return added(to, g, after, count, launching(p))
}

//export fake_cuGraphAddMemsetNode
func fake_cuGraphAddMemsetNode(to *C.CUgraphNode, g C.CUgraph, after *C.CUgraphNode, count C.size_t, p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) C.CUresult {
	return added(to, g, after, count, setting(p, context))
}

//export fake_cuGraphExecKernelNodeSetParams
func fake_cuGraphExecKernelNodeSetParams(e C.CUgraphExec, n C.CUgraphNode, p *C.CUDA_KERNEL_NODE_PARAMS) C.CUresult {
	return changed(e, n, launching(p))
}

//export fake_cuGraphExecMemsetNodeSetParams
func fake_cuGraphExecMemsetNodeSetParams(e C.CUgraphExec, n C.CUgraphNode, p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) C.CUresult {
	return changed(e, n, setting(p, context))
}

//export fake_cuGraphInstantiate
func fake_cuGraphInstantiate(to *C.CUgraphExec, h C.CUgraph, _ C.ulonglong) C.CUresult {
	d, r := forGraphs()
	defer d.mu.Unlock()
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	switch {
	case r != 0:
		return r
	case !ok:
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	e := &executable{work: map[*node]func(){}}
	for len(e.order) < len(g.nodes) {
		for _, n := range slices.Backward(g.nodes) {
			done := func(n *node) bool { return e.work[n] != nil }
			if !done(n) && !slices.ContainsFunc(n.after, func(n *node) bool { return !done(n) }) {
				e.order, e.work[n] = append(e.order, n), n.work
				break
			}
		}
	}
	*to = C.CUgraphExec(pointer(d.handle(e)))
	return 0
}

// change gives a node of later launches other work.
func (d *Driver) change(h C.CUgraphExec, at C.CUgraphNode, kernel C.CUfunction, work func()) C.CUresult {
	e, ok := get[*executable](d, uintptr(unsafe.Pointer(h)))
	n, too := get[*node](d, uintptr(unsafe.Pointer(at)))
	if !ok || !too || e.work[n] == nil || n.kernel != kernel {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	d.Changed++
	e.work[n] = work
	return 0
}

//export fake_cuGraphLaunch
func fake_cuGraphLaunch(h C.CUgraphExec, s C.CUstream) C.CUresult {
	d, r := forGraphs()
	defer d.mu.Unlock()
	e, ok := get[*executable](d, uintptr(unsafe.Pointer(h)))
	switch {
	case r != 0:
		return r
	case !ok:
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	d.Graphs++
	var work []func() // as it is now
	for _, n := range e.order {
		work = append(work, e.work[n])
	}
	return d.put(s, work...)
}

//export fake_cuGraphDestroy
func fake_cuGraphDestroy(h C.CUgraph) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	return drop(d, uintptr(unsafe.Pointer(h)), func(x any, whole *graph) bool {
		n, ok := x.(*node)
		return ok && n.of == whole
	})
}

//export fake_cuGraphExecDestroy
func fake_cuGraphExecDestroy(h C.CUgraphExec) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	delete(d.handles, uintptr(unsafe.Pointer(h)))
	return d.broken
}
