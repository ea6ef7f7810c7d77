// Eight floats in an AVX register, with FMA and F16C. Included only by translation units compiled for AVX2.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "core/Platform.h"

namespace sfm {
namespace {

struct Vec {
  static constexpr int kLanes = 8;
  static constexpr int kTileVectors = 1;
  static constexpr int kDecodeFaces = 4;
  static constexpr bool kSlowHalves = false;
  __m256 v;
};

SFM_ALWAYS_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
SFM_ALWAYS_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
SFM_ALWAYS_INLINE Vec load(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
// The first `count` floats at p, fewer than the lanes; the others are zero and not read.
SFM_ALWAYS_INLINE Vec loadFirst(const float* p, int count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes))};
}
SFM_ALWAYS_INLINE void store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
// Past the caches; p is aligned. What streams is ordered by fenceStreams() alone.
SFM_ALWAYS_INLINE void storeStreaming(float* p, Vec a) { _mm256_stream_ps(p, a.v); }
SFM_ALWAYS_INLINE void fenceStreams() { _mm_sfence(); }
SFM_ALWAYS_INLINE Vec broadcast(float value) { return {_mm256_set1_ps(value)}; }
SFM_ALWAYS_INLINE Vec add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec subtract(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiply(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiplyAdd(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
SFM_ALWAYS_INLINE Vec negativeMultiplyAdd(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
SFM_ALWAYS_INLINE float sum(Vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// x0..x7, y0..y7, z0..z7 -> x0 y0 z0 x1 y1 z1 ...: each component is permuted to its places, then two blends pick.
SFM_ALWAYS_INLINE void storeInterleaved(float* p, Vec x, Vec y, Vec z) {
  const auto at = [](Vec a, __m256i index) { return _mm256_permutevar8x32_ps(a.v, index); };
  const __m256 x0 = at(x, _mm256_setr_epi32(0, 0, 0, 1, 0, 0, 2, 0)),
               y0 = at(y, _mm256_setr_epi32(0, 0, 0, 0, 1, 0, 0, 2)),
               z0 = at(z, _mm256_setr_epi32(0, 0, 0, 0, 0, 1, 0, 0));
  const __m256 x1 = at(x, _mm256_setr_epi32(0, 3, 0, 0, 4, 0, 0, 5)),
               y1 = at(y, _mm256_setr_epi32(0, 0, 3, 0, 0, 4, 0, 0)),
               z1 = at(z, _mm256_setr_epi32(2, 0, 0, 3, 0, 0, 4, 0));
  const __m256 x2 = at(x, _mm256_setr_epi32(0, 0, 6, 0, 0, 7, 0, 0)),
               y2 = at(y, _mm256_setr_epi32(5, 0, 0, 6, 0, 0, 7, 0)),
               z2 = at(z, _mm256_setr_epi32(0, 5, 0, 0, 6, 0, 0, 7));
  _mm256_storeu_ps(p, _mm256_blend_ps(_mm256_blend_ps(x0, y0, 0x92), z0, 0x24));
  _mm256_storeu_ps(p + 8, _mm256_blend_ps(_mm256_blend_ps(x1, y1, 0x24), z1, 0x49));
  _mm256_storeu_ps(p + 16, _mm256_blend_ps(_mm256_blend_ps(x2, y2, 0x49), z2, 0x92));
}

}  // namespace
}  // namespace sfm
