// The decoder on emulated matrix tiles, compiled for some instruction sets.
#pragma once

#include <vector>

#include "cpu/CpuKernels.h"

namespace sfm::test {

struct TilesTable {
  const char* name;
  bool (*supported)();
  DecodeFunction decode, decodeFast;
  DecodeMirroredFunction decodeMirrored, decodeMirroredFast;
  // sums[16][16] += the products of a [rows][16] and b [16][16], words of two bf16 each.
  void (*multiplyAdd)(int rows, const uint32_t* a, const uint32_t* b, float* sums);
};

extern const TilesTable kPortableTiles;
#if defined(SFM_X86_64)
extern const TilesTable kAvx512Tiles;
#endif

}  // namespace sfm::test
