// Four floats in plain C++, for every machine; compilers turn the short loops into what the baseline has.
#pragma once

#include <cstdint>

#include "core/Half.h"
#include "core/Platform.h"

namespace sfm {
namespace {

struct Vec {
  static constexpr int kLanes = 4;
  static constexpr int kTileVectors = 1;
  static constexpr int kDecodeFaces = 2;
  static constexpr bool kSlowHalves = true;
  float v[4];
};

SFM_ALWAYS_INLINE Vec zero() { return {{0, 0, 0, 0}}; }
SFM_ALWAYS_INLINE Vec load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
SFM_ALWAYS_INLINE Vec load(const uint16_t* p) {
  return {{halfToFloat(p[0]), halfToFloat(p[1]), halfToFloat(p[2]), halfToFloat(p[3])}};
}
// The first `count` floats at p, fewer than the lanes; the others are zero and not read.
SFM_ALWAYS_INLINE Vec loadFirst(const float* p, int count) {
  float kept[Vec::kLanes] = {0};
  for (int i = 0; i < count; ++i) kept[i] = p[i];
  return load(kept);
}
SFM_ALWAYS_INLINE void store(float* p, Vec a) {
  for (int i = 0; i < 4; ++i) p[i] = a.v[i];
}
// There are no such stores: plain ones.
SFM_ALWAYS_INLINE void storeStreaming(float* p, Vec a) { store(p, a); }
SFM_ALWAYS_INLINE void fenceStreams() {}
SFM_ALWAYS_INLINE Vec broadcast(float value) { return {{value, value, value, value}}; }
SFM_ALWAYS_INLINE Vec add(Vec a, Vec b) {
  for (int i = 0; i < 4; ++i) a.v[i] += b.v[i];
  return a;
}
SFM_ALWAYS_INLINE Vec subtract(Vec a, Vec b) {
  for (int i = 0; i < 4; ++i) a.v[i] -= b.v[i];
  return a;
}
SFM_ALWAYS_INLINE Vec multiply(Vec a, Vec b) {
  for (int i = 0; i < 4; ++i) a.v[i] *= b.v[i];
  return a;
}
SFM_ALWAYS_INLINE Vec multiplyAdd(Vec a, Vec b, Vec c) {
  for (int i = 0; i < 4; ++i) c.v[i] += a.v[i] * b.v[i];
  return c;
}
SFM_ALWAYS_INLINE Vec negativeMultiplyAdd(Vec a, Vec b, Vec c) {
  for (int i = 0; i < 4; ++i) c.v[i] -= a.v[i] * b.v[i];
  return c;
}
SFM_ALWAYS_INLINE float sum(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
SFM_ALWAYS_INLINE void storeInterleaved(float* p, Vec x, Vec y, Vec z) {
  for (int i = 0; i < 4; ++i) {
    p[3 * i] = x.v[i];
    p[3 * i + 1] = y.v[i];
    p[3 * i + 2] = z.v[i];
  }
}

}  // namespace
}  // namespace sfm
