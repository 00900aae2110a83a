//go:build cuda

// Calls whose arguments are awkward to make from Go.
#include "sys.h"
#include <string.h>

// mdlc_encode makes a tensor map, which the driver wants on a multiple of 64.
CUresult mdlc_encode(struct mdlc_tensor tensor, uint64_t *words) {
	CUtensorMap map;
	const cuuint32_t every[5] = {1, 1, 1, 1, 1};
	CUresult result = cuTensorMapEncodeTiled(&map, tensor.elem, tensor.rank, (void *)tensor.at, tensor.dims, tensor.strides, tensor.box, every,
		CU_TENSOR_MAP_INTERLEAVE_NONE, tensor.swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
	if (result == CUDA_SUCCESS)
		memcpy(words, &map, sizeof map);
	return result;
}

// parameters points at a kernel's parameters: those of one word, then tensor maps.
static void parameters(void **params, uint64_t *args, int count, int maps) {
	const int words = sizeof(CUtensorMap) / sizeof *args;
	for (int i = 0; i < count; i += i < count - maps * words ? 1 : words)
		*params++ = &args[i];
}

// mdlc_launch launches a kernel.
CUresult mdlc_launch(struct mdlc_step step, CUstream stream, uint64_t *args, int count) {
	void *params[count + 1];
	parameters(params, args, count, step.maps);
	return cuLaunchKernel(step.function, step.blocks, 1, 1, step.threads, 1, 1, step.shared, stream, params, NULL);
}

static CUDA_KERNEL_NODE_PARAMS kernel_node(struct mdlc_step *step, void **params, uint64_t *args, int count) {
	parameters(params, args, count, step->maps);
	return (CUDA_KERNEL_NODE_PARAMS){step->function, step->blocks, 1, 1, step->threads, 1, 1, step->shared, params, NULL};
}

static CUDA_MEMSET_NODE_PARAMS word_node(struct mdlc_step *step) {
	return (CUDA_MEMSET_NODE_PARAMS){.dst = step->at, .value = step->word, .elementSize = 4, .width = 1, .height = 1};
}

// mdlc_add_step adds a step to a graph, after the node that was the last, if there is one, and makes it the last.
CUresult mdlc_add_step(CUgraph graph, CUgraphNode *last, struct mdlc_step step, uint64_t *args, int count) {
	CUgraphNode after = *last;
	size_t waits = after != NULL;
	if (step.function != NULL) {
		void *params[count + 1];
		CUDA_KERNEL_NODE_PARAMS node = kernel_node(&step, params, args, count);
		return cuGraphAddKernelNode(last, graph, &after, waits, &node);
	}
	CUDA_MEMSET_NODE_PARAMS node = word_node(&step);
	CUcontext context;
	CUresult result = cuCtxGetCurrent(&context);
	return result != CUDA_SUCCESS ? result : cuGraphAddMemsetNode(last, graph, &after, waits, &node, context);
}

// mdlc_set_step makes a node of later launches of exec another step of its kind.
CUresult mdlc_set_step(CUgraphExec exec, CUgraphNode node, struct mdlc_step step, uint64_t *args, int count) {
	if (step.function != NULL) {
		void *params[count + 1];
		CUDA_KERNEL_NODE_PARAMS kernel = kernel_node(&step, params, args, count);
		return cuGraphExecKernelNodeSetParams(exec, node, &kernel);
	}
	CUDA_MEMSET_NODE_PARAMS word = word_node(&step);
	CUcontext context;
	CUresult result = cuCtxGetCurrent(&context);
	return result != CUDA_SUCCESS ? result : cuGraphExecMemsetNodeSetParams(exec, node, &word, context);
}

// mdlc_assemble makes a cubin for the current context's device, in memory that is the caller's.
// The driver keeps log and options until the link is destroyed, so they are no memory of Go's.
CUresult mdlc_assemble(const char *ptx, size_t size, char *log, size_t room, void **cubin, size_t *bytes) {
	CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {log, (void *)room};
	CUlinkState state;
	CUresult result = cuLinkCreate(2, options, values, &state);
	if (result != CUDA_SUCCESS)
		return result;
	result = cuLinkAddData(state, CU_JIT_INPUT_PTX, (void *)ptx, size, "kernels.ptx", 0, NULL, NULL);
	void *data;
	if (result == CUDA_SUCCESS)
		result = cuLinkComplete(state, &data, bytes);
	if (result == CUDA_SUCCESS) {
		*cubin = malloc(*bytes);
		if (*cubin == NULL)
			result = CUDA_ERROR_OUT_OF_MEMORY;
		else
			memcpy(*cubin, data, *bytes);
	}
	cuLinkDestroy(state);
	return result;
}
