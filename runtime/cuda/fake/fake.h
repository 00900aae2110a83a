#ifndef MDLC_FAKE_H
#define MDLC_FAKE_H

#include "../sys/include/cuda.h"

void mdlc_fake_install(void);

#endif
