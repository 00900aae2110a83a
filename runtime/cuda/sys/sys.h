#ifndef MDLC_SYS_H
#define MDLC_SYS_H

#include "cuda.h"

const char *mdlc_load(void);
int mdlc_use(const char *name, void *function);
void mdlc_old(void);
struct mdlc_step { // of a graph: a kernel, or a word that is set where there is none
	CUfunction function;
	unsigned blocks, threads, shared;
	CUdeviceptr at;
	unsigned word;
};

CUresult mdlc_launch(CUfunction function, unsigned blocks, unsigned threads, unsigned shared, CUstream stream, uint64_t *args, int count);
CUresult mdlc_add_step(CUgraph graph, CUgraphNode *after, struct mdlc_step step, uint64_t *args, int count);
CUresult mdlc_set_step(CUgraphExec exec, CUgraphNode node, struct mdlc_step step, uint64_t *args, int count);
CUresult mdlc_assemble(const char *ptx, size_t size, char *log, size_t room, void **cubin, size_t *bytes);

#endif
