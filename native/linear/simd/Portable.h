// One double at a time, for every machine. The multiply-add is fused here too, by the C library where the processor
// cannot: slow there, but the same bits as everywhere.
#pragma once

#include <cmath>

#include "core/Platform.h"

namespace sfm::linear {
namespace {

struct Doubles {
  static constexpr int kLanes = 1;
  static constexpr int kTileRows = 4;
  static constexpr int kTileVectors = 4;
  double v;
};

SFM_ALWAYS_INLINE Doubles zero() { return {0}; }
SFM_ALWAYS_INLINE Doubles load(const double* p) { return {*p}; }
SFM_ALWAYS_INLINE void store(double* p, Doubles a) { *p = a.v; }
SFM_ALWAYS_INLINE Doubles broadcast(double value) { return {value}; }
SFM_ALWAYS_INLINE Doubles add(Doubles a, Doubles b) { return {a.v + b.v}; }
SFM_ALWAYS_INLINE Doubles subtract(Doubles a, Doubles b) { return {a.v - b.v}; }
SFM_ALWAYS_INLINE Doubles multiply(Doubles a, Doubles b) { return {a.v * b.v}; }
SFM_ALWAYS_INLINE Doubles multiplyAdd(Doubles a, Doubles b, Doubles c) { return {std::fma(a.v, b.v, c.v)}; }

}  // namespace
}  // namespace sfm::linear
