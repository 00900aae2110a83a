//go:build cuda

// Calls whose arguments are awkward to make from Go.
#include "sys.h"
#include <string.h>

// mdlc_launch launches a kernel all of whose parameters have 8 bytes.
CUresult mdlc_launch(CUfunction function, unsigned blocks, unsigned threads, unsigned shared, CUstream stream, uint64_t *args, int count) {
	void *params[count];
	for (int i = 0; i < count; i++)
		params[i] = &args[i];
	return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, stream, params, NULL);
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
