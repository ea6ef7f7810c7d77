// The instruction sets that a test goes through.
#pragma once

#include "core/Platform.h"
#include "cpu/CpuKernels.h"
#include "test/Check.h"

namespace sfm::test {

// Calls body(kernels) for each set that is compiled in and that this processor supports.
template <class Body>
void forEachKernels(Body body) {
  for (const CpuKernels* kernels : cpuKernels()) {
    const Scope scope(kernels->name);
    body(*kernels);
  }
}

// Says which of them it does not support.
inline void noteMissingKernels() {
  for (const CpuKernels* kernels : {
#if defined(SFM_AMX)
           &kAmxKernels,
#endif
#if defined(SFM_X86_64)
           &kAvx512Bf16Kernels, &kAvx512Kernels, &kAvx2Kernels,
#elif defined(SFM_ARM64)
           &kNeonKernels,
#endif
           &kPortableKernels})
    if (!kernels->supported()) note("skipped: this processor lacks ", kernels->name);
}

}  // namespace sfm::test
