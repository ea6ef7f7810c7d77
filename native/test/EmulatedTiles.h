// Matrix tiles in plain C++, operation by operation as Intel's manual defines them: what AmxTiles does where there are no
// tiles. Everything has internal linkage, since it is compiled for more than one instruction set.
#pragma once

#include <math.h>
#include <string.h>

#include "core/Platform.h"

namespace sfm {
namespace {

struct EmulatedTiles {
  static constexpr int kRows = 16, kWords = 16;

  struct State {
    int rows[8];  // 0: not configured
    uint32_t words[8][kRows][kWords];
  };
  static State& state() {
    static thread_local State tiles;
    return tiles;
  }

  static void configure(int rows) {
    memset(&state(), 0, sizeof(State));
    for (int tile = 0; tile < 8; ++tile) state().rows[tile] = tile < 7 ? rows : kRows;
  }
  static void release() { memset(&state(), 0, sizeof(State)); }

  template <int kTile>
  static void zero() {
    memset(state().words[kTile], 0, sizeof state().words[kTile]);
  }
  // Rows beyond the tile's become zero, and none are read without a configuration, where a processor would fault.
  template <int kTile>
  static void load(const uint32_t* rows) {
    zero<kTile>();
    memcpy(state().words[kTile], rows, static_cast<size_t>(state().rows[kTile]) * 64);
  }
  template <int kTile>
  static void store(float* rows) {
    memcpy(rows, state().words[kTile], static_cast<size_t>(state().rows[kTile]) * 64);
  }

  // TDPBF16PS: the pairs' first and second members are summed by themselves, from zero, by fused multiply-adds that round
  // to nearest; then the two sums are added, and that to what was there. Denormal numbers are zero, going in and coming
  // out.
  template <int kSum, int kA, int kB>
  static void multiplyAdd() {
    State& s = state();
    for (int m = 0; m < s.rows[kSum]; ++m) {
      float sums[2][kWords] = {};
      for (int k = 0; k < kWords; ++k) {
        for (int n = 0; n < kWords; ++n) {
          const uint32_t a = s.words[kA][m][k], b = s.words[kB][k][n];
          sums[0][n] = flushed(fmaf(flushed(number(a << 16)), flushed(number(b << 16)), sums[0][n]));
          sums[1][n] = flushed(fmaf(flushed(number(a & 0xffff0000u)), flushed(number(b & 0xffff0000u)), sums[1][n]));
        }
      }
      for (int n = 0; n < kWords; ++n) {
        const float sum = flushed(flushed(number(s.words[kSum][m][n])) + flushed(sums[0][n] + sums[1][n]));
        memcpy(&s.words[kSum][m][n], &sum, sizeof sum);
      }
    }
  }

 private:
  static float number(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  static float flushed(float value) { return fabsf(value) < 1.17549435e-38f ? copysignf(0.0f, value) : value; }
};

}  // namespace
}  // namespace sfm
