// Two doubles in a NEON register (AArch64, where fused multiply-add is always there).
#pragma once

#include <arm_neon.h>

#include "core/Platform.h"

namespace sfm::linear {
namespace {

struct Doubles {
  static constexpr int kLanes = 2;
  static constexpr int kTileRows = 8;
  static constexpr int kTileVectors = 3;
  float64x2_t v;
};

SFM_ALWAYS_INLINE Doubles zero() { return {vdupq_n_f64(0)}; }
SFM_ALWAYS_INLINE Doubles load(const double* p) { return {vld1q_f64(p)}; }
SFM_ALWAYS_INLINE void store(double* p, Doubles a) { vst1q_f64(p, a.v); }
SFM_ALWAYS_INLINE Doubles broadcast(double value) { return {vdupq_n_f64(value)}; }
SFM_ALWAYS_INLINE Doubles add(Doubles a, Doubles b) { return {vaddq_f64(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles subtract(Doubles a, Doubles b) { return {vsubq_f64(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiply(Doubles a, Doubles b) { return {vmulq_f64(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiplyAdd(Doubles a, Doubles b, Doubles c) { return {vfmaq_f64(c.v, a.v, b.v)}; }

}  // namespace
}  // namespace sfm::linear
