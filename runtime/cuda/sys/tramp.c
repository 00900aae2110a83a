//go:build cuda

// The functions of the driver as this program calls them: each jumps to where its slot points.
// Until the driver is loaded that is here, so that a program that was linked with all of them
// starts on any machine.
#include "sys.h"
#include <dlfcn.h>
#include <string.h>

static CUresult no_driver(void) { return CUDA_ERROR_NO_DEVICE; }
static CUresult too_old(void) { return CUDA_ERROR_NOT_SUPPORTED; }

// gorgonia.org/cu calls cuInit before main begins, and ends the process where it fails.
static CUresult no_init(unsigned flags) { return CUDA_SUCCESS; }
static CUresult no_devices(int *count) { *count = 0; return CUDA_SUCCESS; }

#define F(name, symbol, params) \
	__attribute__((visibility("hidden"), used)) void *mdlc_slot_##name = (void *)no_driver; \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n\tjmp *mdlc_slot_" #name "(%rip)\n");
#include "functions.h"
#undef F

static struct slot { const char *name, *symbol; void **at; } slots[] = {
#define F(name, symbol, params) {#name, #symbol, &mdlc_slot_##name},
#include "functions.h"
#undef F
};

__attribute__((constructor(101))) static void start(void) { // before those of a fake
	mdlc_slot_cuInit = (void *)no_init;
	mdlc_slot_cuDeviceGetCount = (void *)no_devices;
}

// mdlc_use points a slot somewhere else. 0: there is none of that name.
int mdlc_use(const char *name, void *function) {
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
		if (strcmp(slots[i].name, name) == 0) {
			*slots[i].at = function;
			return 1;
		}
	return 0;
}

// mdlc_old points all slots at a function that says that the driver lacks it.
void mdlc_old(void) {
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
		*slots[i].at = (void *)too_old;
}

// mdlc_load loads the driver. It returns NULL, or what the loader says.
const char *mdlc_load(void) {
	void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (driver == NULL)
		return dlerror();
	mdlc_old();
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
		void *function = dlsym(driver, slots[i].symbol);
		if (function != NULL)
			*slots[i].at = function;
	}
	return NULL;
}
