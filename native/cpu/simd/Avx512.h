// Sixteen floats in an AVX-512 register. Included only by translation units compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "core/Platform.h"

namespace sfm {
namespace {

struct Vec {
  static constexpr int kLanes = 16;
  static constexpr int kTileVectors = 1;  // a register tile of the products is as high as it is wide
  static constexpr int kDecodeFaces = 8;  // faces per register tile of the decoder (3 accumulators each)
  static constexpr bool kSlowHalves = false;
  __m512 v;
};

SFM_ALWAYS_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
SFM_ALWAYS_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
SFM_ALWAYS_INLINE Vec load(const uint16_t* p) {
  return {_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
// The first `count` floats at p, fewer than the lanes; the others are zero and not read.
SFM_ALWAYS_INLINE Vec loadFirst(const float* p, int count) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p)};
}
SFM_ALWAYS_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
// Past the caches; p is aligned. What streams is ordered by fenceStreams() alone.
SFM_ALWAYS_INLINE void storeStreaming(float* p, Vec a) { _mm512_stream_ps(p, a.v); }
SFM_ALWAYS_INLINE void fenceStreams() { _mm_sfence(); }
SFM_ALWAYS_INLINE Vec broadcast(float value) { return {_mm512_set1_ps(value)}; }
SFM_ALWAYS_INLINE Vec add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec subtract(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiply(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
SFM_ALWAYS_INLINE Vec multiplyAdd(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
SFM_ALWAYS_INLINE Vec negativeMultiplyAdd(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
SFM_ALWAYS_INLINE float sum(Vec a) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a.v),
                                    _mm512_castps512_ps256(_mm512_maskz_shuffle_f32x4(0xffff, a.v, a.v, 0xee)));
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// x0..x15, y0..y15, z0..z15 -> x0 y0 z0 x1 y1 z1 ...
struct Interleaved {
  __m512 v[3];
};
SFM_ALWAYS_INLINE Interleaved interleave(Vec x, Vec y, Vec z) {
  const __m512i xy0 = _mm512_setr_epi32(0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  const __m512i z0 = _mm512_setr_epi32(0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15);
  const __m512i xy1 = _mm512_setr_epi32(21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
  const __m512i z1 = _mm512_setr_epi32(0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15);
  const __m512i xy2 = _mm512_setr_epi32(0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
  const __m512i z2 = _mm512_setr_epi32(26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31);
  return {{_mm512_permutex2var_ps(_mm512_permutex2var_ps(x.v, xy0, y.v), z0, z.v),
           _mm512_permutex2var_ps(_mm512_permutex2var_ps(x.v, xy1, y.v), z1, z.v),
           _mm512_permutex2var_ps(_mm512_permutex2var_ps(x.v, xy2, y.v), z2, z.v)}};
}
SFM_ALWAYS_INLINE void storeInterleaved(float* p, Vec x, Vec y, Vec z) {
  const Interleaved points = interleave(x, y, z);
  for (int i = 0; i < 3; ++i) _mm512_storeu_ps(p + 16 * i, points.v[i]);
}
// The first `count` points alone, at most 16.
SFM_ALWAYS_INLINE void storeInterleavedFirst(float* p, Vec x, Vec y, Vec z, int count) {
  const Interleaved points = interleave(x, y, z);
  const uint64_t lanes = (uint64_t{1} << (3 * count)) - 1;
  for (int i = 0; i < 3; ++i) _mm512_mask_storeu_ps(p + 16 * i, static_cast<__mmask16>(lanes >> (16 * i)), points.v[i]);
}

// Lanes of a (0 to 15) and b (16 to 31) as 16 integers say.
SFM_ALWAYS_INLINE Vec choose(const int32_t* lanes, Vec a, Vec b) {
  return {_mm512_permutex2var_ps(a.v, _mm512_loadu_si512(lanes), b.v)};
}

}  // namespace
}  // namespace sfm
