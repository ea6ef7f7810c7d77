// Eight doubles in an AVX-512 register. Included only by translation units compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include "core/Platform.h"

namespace sfm::linear {
namespace {

struct Doubles {
  static constexpr int kLanes = 8;
  static constexpr int kTileRows = 12;  // register tile of the product: kTileRows x kTileVectors accumulators
  static constexpr int kTileVectors = 2;
  __m512d v;
};

SFM_ALWAYS_INLINE Doubles zero() { return {_mm512_setzero_pd()}; }
SFM_ALWAYS_INLINE Doubles load(const double* p) { return {_mm512_loadu_pd(p)}; }
SFM_ALWAYS_INLINE void store(double* p, Doubles a) { _mm512_storeu_pd(p, a.v); }
SFM_ALWAYS_INLINE Doubles broadcast(double value) { return {_mm512_set1_pd(value)}; }
SFM_ALWAYS_INLINE Doubles add(Doubles a, Doubles b) { return {_mm512_add_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles subtract(Doubles a, Doubles b) { return {_mm512_sub_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiply(Doubles a, Doubles b) { return {_mm512_mul_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiplyAdd(Doubles a, Doubles b, Doubles c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }

}  // namespace
}  // namespace sfm::linear
