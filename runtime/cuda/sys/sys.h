#ifndef MDLC_SYS_H
#define MDLC_SYS_H

#include "cuda.h"

const char *mdlc_load(void);
int mdlc_use(const char *name, void *function);
void mdlc_old(void);
struct mdlc_step { // of a graph: a kernel, or a word that is set where there is none
	CUfunction function;
	unsigned blocks, threads, shared;
	int maps;
	CUdeviceptr at;
	unsigned word;
};

struct mdlc_tensor {
	CUtensorMapDataType elem;
	CUdeviceptr at;
	cuuint32_t rank, box[5];
	cuuint64_t dims[5], strides[4];
	CUtensorMapSwizzle swizzle;
};

CUresult mdlc_encode(struct mdlc_tensor tensor, uint64_t *words);
CUresult mdlc_launch(struct mdlc_step step, CUstream stream, uint64_t *args, int count);
CUresult mdlc_add_step(CUgraph graph, CUgraphNode *after, struct mdlc_step step, uint64_t *args, int count);
CUresult mdlc_set_step(CUgraphExec exec, CUgraphNode node, struct mdlc_step step, uint64_t *args, int count);
CUresult mdlc_assemble(const char *ptx, size_t size, char *log, size_t room, void **cubin, size_t *bytes);

#endif
