#include "linear/LinearKernels.h"

#include <cstring>

namespace sfm::linear {

const std::vector<const LinearKernels*>& linearKernels() {
  static const std::vector<const LinearKernels*> supported = [] {
    std::vector<const LinearKernels*> found;
    for (const LinearKernels* kernels : {
#if defined(SFM_X86_64)
             &kAvx512LinearKernels, &kAvx2LinearKernels,
#elif defined(SFM_ARM64)
             &kNeonLinearKernels,
#endif
             &kPortableLinearKernels})
      if (kernels->supported()) found.push_back(kernels);
    return found;
  }();
  return supported;
}

const LinearKernels* findLinearKernels(const char* name) {
  for (const LinearKernels* kernels : linearKernels())
    if (std::strcmp(kernels->name, name) == 0) return kernels;
  return nullptr;
}

const LinearKernels& linearKernelsFor(const char* instructionSet) {
  const LinearKernels* own = findLinearKernels(instructionSet);
  return own ? *own : *linearKernels().front();
}

}  // namespace sfm::linear
