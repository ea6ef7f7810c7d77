// The matrix tiles of a processor: eight, of up to 16 rows of 64 bytes. Included only by translation units compiled for
// AMX. What the operations do is written out in test/EmulatedTiles.h, which takes their place where there are no tiles.
//
// In assembler, since the intrinsics take literal numbers only, and those of some compilers do not say what they read.
#pragma once

#include <cstdint>

#include "core/Platform.h"

namespace sfm {
namespace {

struct AmxTiles {
  // Gives the tiles their shape, and zeros them: `rows` rows of 64 bytes for all but the last, which has 16.
  static void configure(int rows) {
    struct alignas(64) Configuration {
      uint8_t palette = 1;
      uint8_t startRow = 0;
      uint8_t reserved[14] = {};
      uint16_t rowBytes[16] = {};
      uint8_t rows[16] = {};
    } configuration;
    static_assert(sizeof(Configuration) == 64);
    for (int tile = 0; tile < 8; ++tile) {
      configuration.rowBytes[tile] = kRowBytes;
      configuration.rows[tile] = static_cast<uint8_t>(tile < 7 ? rows : 16);
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(configuration) : "memory");
  }
  // Without tiles in use the system has less to save.
  static void release() { __asm__ volatile("tilerelease" ::: "memory"); }

  template <int kTile>
  SFM_ALWAYS_INLINE static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  // Rows of 64 bytes, one after the other.
  template <int kTile>
  SFM_ALWAYS_INLINE static void load(const uint32_t* rows) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(rows), "r"(kRowBytes), "i"(kTile) : "memory");
  }
  template <int kTile>
  SFM_ALWAYS_INLINE static void store(float* rows) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(rows), "r"(kRowBytes), "i"(kTile) : "memory");
  }
  // sum[m][n] += a[m][2k] b[k][2n] + a[m][2k + 1] b[k][2n + 1], summed over k first; a and b of bf16.
  template <int kSum, int kA, int kB>
  SFM_ALWAYS_INLINE static void multiplyAdd() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }

 private:
  static constexpr int64_t kRowBytes = 64;
};

}  // namespace
}  // namespace sfm
