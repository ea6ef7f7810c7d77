// Four floats in a NEON register (AArch64, where fused multiply-add and half conversion are always there).
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "core/Platform.h"

namespace sfm {
namespace {

struct Vec {
  static constexpr int kLanes = 4;
  static constexpr int kTileVectors = 2;
  static constexpr int kDecodeFaces = 8;
  static constexpr bool kSlowHalves = false;
  float32x4_t v;
};

SFM_ALWAYS_INLINE Vec zero() { return {vdupq_n_f32(0)}; }
SFM_ALWAYS_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
SFM_ALWAYS_INLINE Vec load(const uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
// The first `count` floats at p, fewer than the lanes; the others are zero and not read.
SFM_ALWAYS_INLINE Vec loadFirst(const float* p, int count) {
  float kept[Vec::kLanes] = {0};
  for (int i = 0; i < count; ++i) kept[i] = p[i];
  return load(kept);
}
SFM_ALWAYS_INLINE void store(float* p, Vec a) { vst1q_f32(p, a.v); }
// There are no such stores: plain ones.
SFM_ALWAYS_INLINE void storeStreaming(float* p, Vec a) { store(p, a); }
SFM_ALWAYS_INLINE void fenceStreams() {}
SFM_ALWAYS_INLINE Vec broadcast(float value) { return {vdupq_n_f32(value)}; }
SFM_ALWAYS_INLINE Vec add(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec subtract(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiply(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiplyAdd(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec negativeMultiplyAdd(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
SFM_ALWAYS_INLINE float sum(Vec a) { return vaddvq_f32(a.v); }
SFM_ALWAYS_INLINE void storeInterleaved(float* p, Vec x, Vec y, Vec z) { vst3q_f32(p, float32x4x3_t{{x.v, y.v, z.v}}); }

}  // namespace
}  // namespace sfm
