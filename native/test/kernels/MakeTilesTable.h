// The table of the vectors that the including translation unit has chosen.
#pragma once

#include "cpu/CpuFeatures.h"
#include "cpu/kernels/DecodeMirroredTiles.h"
#include "cpu/kernels/DecodeTiles.h"
#include "test/EmulatedTiles.h"
#include "test/kernels/TilesTable.h"

namespace sfm::test {
namespace {

void multiplyAddOnTiles(int rows, const uint32_t* a, const uint32_t* b, float* sums) {
  uint32_t bits[16 * 16];
  memcpy(bits, sums, sizeof bits);
  EmulatedTiles::configure(rows);
  EmulatedTiles::load<0>(bits);
  EmulatedTiles::load<6>(a);
  EmulatedTiles::load<7>(b);
  EmulatedTiles::multiplyAdd<0, 6, 7>();
  EmulatedTiles::store<0>(sums);
  EmulatedTiles::release();
}

constexpr TilesTable makeTilesTable(const char* name, bool (*supported)()) {
  return {name,
          supported,
          &decodeOnTiles<EmulatedTiles, true>,
          &decodeOnTiles<EmulatedTiles, false>,
          &decodeMirroredOnTiles<EmulatedTiles, true>,
          &decodeMirroredOnTiles<EmulatedTiles, false>,
          &multiplyAddOnTiles};
}

}  // namespace
}  // namespace sfm::test
