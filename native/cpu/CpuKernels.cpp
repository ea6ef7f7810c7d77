#include "cpu/CpuKernels.h"

#include <cstring>
#include <initializer_list>

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

namespace {

// For a basis of one or two kinds of columns, as many of each: a kind has sums of its own, and with two a panel has twice the
// points.
size_t scratchFor(std::initializer_list<int> kinds, int faces) {
  constexpr int kTileFaces = 16, kTileColumns = 32;
  const auto roundedUp = [](int count, int to) { return static_cast<size_t>((count + to - 1) / to * to); };
  size_t columns = 0;
  for (const int count : kinds) columns += roundedUp(count, kTileColumns);
  // A number of the basis, or a coefficient, in two 16-bit parts is as large as in one of 32 bits. Sums are of two panels.
  return kStagedPanels * columns * DecodeBasis::kRow + roundedUp(faces, kTileFaces) * columns +
         kinds.size() * (kStageSize + 2 * static_cast<size_t>(kStagedFaces) * DecodeBasis::kRow);
}

}  // namespace

size_t decodeScratch(const DecodeBasis& basis, int faces) { return scratchFor({basis.columnCount}, faces); }

size_t decodeScratch(const MirroredBasis& basis, int faces) {
  return scratchFor({basis.even.count(), basis.odd.count()}, faces);
}

}  // namespace sfm
