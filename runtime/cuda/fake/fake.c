//go:build cuda

// Where the functions of the fake go.
#include "_cgo_export.h"
#include "../sys/sys.h"

void mdlc_fake_install(void) {
	mdlc_use("cuLinkCreate", (void *)fake_cuLinkCreate);
	mdlc_use("cuLinkAddData", (void *)fake_cuLinkAddData);
	mdlc_use("cuLinkComplete", (void *)fake_cuLinkComplete);
	mdlc_use("cuLinkDestroy", (void *)fake_cuLinkDestroy);
	mdlc_use("cuModuleLoadDataEx", (void *)fake_cuModuleLoadDataEx);
	mdlc_use("cuModuleUnload", (void *)fake_cuModuleUnload);
	mdlc_use("cuModuleGetFunction", (void *)fake_cuModuleGetFunction);
	mdlc_use("cuFuncSetAttribute", (void *)fake_cuFuncSetAttribute);
	mdlc_use("cuLaunchKernel", (void *)fake_cuLaunchKernel);
	mdlc_use("cuTensorMapEncodeTiled", (void *)fake_cuTensorMapEncodeTiled);
	mdlc_use("cuInit", (void *)fake_cuInit);
	mdlc_use("cuDriverGetVersion", (void *)fake_cuDriverGetVersion);
	mdlc_use("cuDeviceGetCount", (void *)fake_cuDeviceGetCount);
	mdlc_use("cuDeviceGet", (void *)fake_cuDeviceGet);
	mdlc_use("cuDeviceGetName", (void *)fake_cuDeviceGetName);
	mdlc_use("cuDeviceTotalMem", (void *)fake_cuDeviceTotalMem);
	mdlc_use("cuDeviceGetAttribute", (void *)fake_cuDeviceGetAttribute);
	mdlc_use("cuDevicePrimaryCtxRetain", (void *)fake_cuDevicePrimaryCtxRetain);
	mdlc_use("cuDevicePrimaryCtxRelease", (void *)fake_cuDevicePrimaryCtxRelease);
	mdlc_use("cuCtxGetCurrent", (void *)fake_cuCtxGetCurrent);
	mdlc_use("cuCtxSetCurrent", (void *)fake_cuCtxSetCurrent);
	mdlc_use("cuGetErrorName", (void *)fake_cuGetErrorName);
	mdlc_use("cuGetErrorString", (void *)fake_cuGetErrorString);
	mdlc_use("cuMemGetInfo", (void *)fake_cuMemGetInfo);
	mdlc_use("cuMemAlloc", (void *)fake_cuMemAlloc);
	mdlc_use("cuMemFree", (void *)fake_cuMemFree);
	mdlc_use("cuMemAllocHost", (void *)fake_cuMemAllocHost);
	mdlc_use("cuMemFreeHost", (void *)fake_cuMemFreeHost);
	mdlc_use("cuMemcpyHtoDAsync", (void *)fake_cuMemcpyHtoDAsync);
	mdlc_use("cuMemcpyDtoHAsync", (void *)fake_cuMemcpyDtoHAsync);
	mdlc_use("cuMemcpyDtoDAsync", (void *)fake_cuMemcpyDtoDAsync);
	mdlc_use("cuMemcpyDtoH", (void *)fake_cuMemcpyDtoH);
	mdlc_use("cuMemsetD32Async", (void *)fake_cuMemsetD32Async);
	mdlc_use("cuStreamCreate", (void *)fake_cuStreamCreate);
	mdlc_use("cuStreamDestroy", (void *)fake_cuStreamDestroy);
	mdlc_use("cuStreamSynchronize", (void *)fake_cuStreamSynchronize);
	mdlc_use("cuGraphCreate", (void *)fake_cuGraphCreate);
	mdlc_use("cuGraphAddKernelNode", (void *)fake_cuGraphAddKernelNode);
	mdlc_use("cuGraphAddMemsetNode", (void *)fake_cuGraphAddMemsetNode);
	mdlc_use("cuGraphExecKernelNodeSetParams", (void *)fake_cuGraphExecKernelNodeSetParams);
	mdlc_use("cuGraphExecMemsetNodeSetParams", (void *)fake_cuGraphExecMemsetNodeSetParams);
	mdlc_use("cuGraphInstantiate", (void *)fake_cuGraphInstantiate);
	mdlc_use("cuGraphDestroy", (void *)fake_cuGraphDestroy);
	mdlc_use("cuGraphExecDestroy", (void *)fake_cuGraphExecDestroy);
	mdlc_use("cuGraphLaunch", (void *)fake_cuGraphLaunch);
	mdlc_use("cuEventCreate", (void *)fake_cuEventCreate);
	mdlc_use("cuEventDestroy", (void *)fake_cuEventDestroy);
	mdlc_use("cuEventRecord", (void *)fake_cuEventRecord);
	mdlc_use("cuEventSynchronize", (void *)fake_cuEventSynchronize);
	mdlc_use("cuEventElapsedTime", (void *)fake_cuEventElapsedTime);
}
