#include "cpu/CpuKernels.h"

#include <cstring>

namespace sfm {

const std::vector<const CpuKernels*>& cpuKernels() {
  static const std::vector<const CpuKernels*> supported = [] {
    std::vector<const CpuKernels*> found;
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

size_t decodeScratch(const DecodeBasis& basis, int faces) {
  constexpr int kTileFaces = 16, kTileColumns = 32;
  const auto roundedUp = [](int count, int to) { return static_cast<size_t>((count + to - 1) / to * to); };
  const size_t columns = roundedUp(basis.columnCount, kTileColumns);
  // A number of the basis, or a coefficient, in two 16-bit parts is as large as in one of 32 bits.
  return kStageSize + kStagedPanels * columns * DecodeBasis::kRow + roundedUp(faces, kTileFaces) * columns +
         static_cast<size_t>(kStagedFaces) * DecodeBasis::kRow;
}

}  // namespace sfm
