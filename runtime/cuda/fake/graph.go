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
	d, r := enter(true)
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

//export fake_cuGraphAddKernelNode
func fake_cuGraphAddKernelNode(to *C.CUgraphNode, g C.CUgraph, after *C.CUgraphNode, count C.size_t, p *C.CUDA_KERNEL_NODE_PARAMS) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	work, r := d.kernelNode(p)
	if r != 0 {
		return r
	}
	return d.add(to, g, after, count, &node{kernel: p._func, work: work})
}

func (d *Driver) kernelNode(p *C.CUDA_KERNEL_NODE_PARAMS) (func(), C.CUresult) {
	return d.launch(p._func, [3]C.uint{p.gridDimX, p.gridDimY, p.gridDimZ}, [3]C.uint{p.blockDimX, p.blockDimY, p.blockDimZ}, p.sharedMemBytes, p.kernelParams, p.extra)
}

//export fake_cuGraphAddMemsetNode
func fake_cuGraphAddMemsetNode(to *C.CUgraphNode, g C.CUgraph, after *C.CUgraphNode, count C.size_t, p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	work, r := d.memsetNode(p, context)
	if r != 0 {
		return r
	}
	return d.add(to, g, after, count, &node{work: work})
}

func (d *Driver) memsetNode(p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) (func(), C.CUresult) {
	if _, ok := get[string](d, uintptr(unsafe.Pointer(context))); !ok || p.elementSize != 4 || p.height != 1 || p.dst%4 != 0 {
		return nil, C.CUDA_ERROR_INVALID_VALUE
	}
	return d.fill(p.dst, p.value, p.width), 0
}

//export fake_cuGraphInstantiate
func fake_cuGraphInstantiate(to *C.CUgraphExec, h C.CUgraph, _ C.ulonglong) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
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

//export fake_cuGraphExecKernelNodeSetParams
func fake_cuGraphExecKernelNodeSetParams(e C.CUgraphExec, n C.CUgraphNode, p *C.CUDA_KERNEL_NODE_PARAMS) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	work, r := d.kernelNode(p)
	if r != 0 {
		return r
	}
	return d.change(e, n, p._func, work)
}

//export fake_cuGraphExecMemsetNodeSetParams
func fake_cuGraphExecMemsetNodeSetParams(e C.CUgraphExec, n C.CUgraphNode, p *C.CUDA_MEMSET_NODE_PARAMS, context C.CUcontext) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	work, r := d.memsetNode(p, context)
	if r != 0 {
		return r
	}
	return d.change(e, n, nil, work)
}

//export fake_cuGraphLaunch
func fake_cuGraphLaunch(h C.CUgraphExec, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	e, ok := get[*executable](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
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
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	if !ok {
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	for h, x := range d.handles {
		if n, ok := x.(*node); ok && n.of == g {
			delete(d.handles, h)
		}
	}
	delete(d.handles, uintptr(unsafe.Pointer(h)))
	return d.broken
}

//export fake_cuGraphExecDestroy
func fake_cuGraphExecDestroy(h C.CUgraphExec) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	delete(d.handles, uintptr(unsafe.Pointer(h)))
	return d.broken
}
