#include "cpu/CpuKernels.h"

#include <cstring>

namespace sfm {

const std::vector<const CpuKernels*>& cpuKernels() {
  static const std::vector<const CpuKernels*> supported = [] {
    std::vector<const CpuKernels*> found;
    for (const CpuKernels* kernels : {
#if defined(SFM_X86_64)
             &kAvx512Kernels, &kAvx2Kernels,
#elif defined(SFM_ARM64)
             &kNeonKernels,
#endif
             &kPortableKernels})
      if (kernels->supported()) found.push_back(kernels);
    return found;
  }();
  return supported;
}

const CpuKernels* findCpuKernels(const char* name) {
  for (const CpuKernels* kernels : cpuKernels())
    if (std::strcmp(kernels->name, name) == 0) return kernels;
  return nullptr;
}

}  // namespace sfm
