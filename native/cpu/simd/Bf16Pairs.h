// Products of pairs of bf16 numbers, 32 bits of a Vec each, beside the vectors of Avx512.h.
#pragma once

#include "cpu/simd/Avx512.h"

namespace sfm {
namespace {

// Lane by lane the two numbers rounded to bf16, the first in the lower half.
SFM_ALWAYS_INLINE Vec pair(Vec first, Vec second) {
  const __m512i apart = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second.v, first.v));
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                          21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(places, apart))};
}

// c + the product of the first numbers of two pairs + that of the second, lane by lane.
SFM_ALWAYS_INLINE Vec multiplyAddPairs(Vec a, Vec b, Vec c) {
  return {_mm512_dpbf16_ps(c.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
}

}  // namespace
}  // namespace sfm
