// Four doubles in an AVX register, with FMA. Included only by translation units compiled for AVX2.
#pragma once

#include <immintrin.h>

#include "core/Platform.h"

namespace sfm::linear {
namespace {

struct Doubles {
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 6;
  static constexpr int kTileVectors = 2;
  __m256d v;
};

SFM_ALWAYS_INLINE Doubles zero() { return {_mm256_setzero_pd()}; }
SFM_ALWAYS_INLINE Doubles load(const double* p) { return {_mm256_loadu_pd(p)}; }
SFM_ALWAYS_INLINE void store(double* p, Doubles a) { _mm256_storeu_pd(p, a.v); }
SFM_ALWAYS_INLINE Doubles broadcast(double value) { return {_mm256_set1_pd(value)}; }
SFM_ALWAYS_INLINE Doubles add(Doubles a, Doubles b) { return {_mm256_add_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles subtract(Doubles a, Doubles b) { return {_mm256_sub_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiply(Doubles a, Doubles b) { return {_mm256_mul_pd(a.v, b.v)}; }
SFM_ALWAYS_INLINE Doubles multiplyAdd(Doubles a, Doubles b, Doubles c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }

}  // namespace
}  // namespace sfm::linear
