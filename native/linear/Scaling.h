// Powers of two that keep squares of very large and very small numbers within range.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sfm::linear {

// x 2^exponent, in two steps: 2^exponent itself may be out of range.
inline void scale(double* x, int64_t n, int exponent) {
  const double half = std::ldexp(1.0, exponent / 2), rest = std::ldexp(1.0, exponent - exponent / 2);
  for (int64_t i = 0; i < n; ++i) x[i] = x[i] * half * rest;
}

// The exponent that brings the largest magnitude to [1/2, 1); 0 for zeros. `finite` tells whether all numbers are.
inline int scalingExponent(const double* x, int64_t n, bool* finite) {
  double largest = 0;
  *finite = true;
  for (int64_t i = 0; i < n; ++i) {
    *finite &= std::isfinite(x[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  int exponent = 0;
  if (*finite) std::frexp(largest, &exponent);
  return -exponent;
}

}  // namespace sfm::linear
