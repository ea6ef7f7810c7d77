// The matrix instructions of a warp in plain C++, by the layouts that the PTX manual gives for their fragments.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/Half.h"
#include "test/shim/Grid.h"

namespace sfm::shim {

// To the nearest 16-bit float, ties to even.
inline uint16_t roundToHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 2^16 and more
  const uint32_t exponent = magnitude >> 23;
  // The mantissa in steps of the result: 13 bits fewer, and fewer still below 2^-14.
  const uint32_t shift = exponent >= 113 ? 13 : 126 - exponent;
  if (shift > 24) return static_cast<uint16_t>(sign);
  const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  uint32_t steps = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1), middle = 1u << (shift - 1);
  if (rest > middle || (rest == middle && (steps & 1))) ++steps;
  // The leading bit counts as one of the exponent; a carry is right as well.
  return static_cast<uint16_t>(sign | (exponent >= 113 ? steps + ((exponent - 113) << 10) : steps));
}

struct ProductLane {
  float d[4];
  uint32_t a[4];
  uint32_t b[2];
};

struct Quad {
  float d[4];
};

// Sums as tensor cores make them, at their worst: all terms are cut off at 24 bits below the largest, and the sum again to
// a single-precision number, towards zero.
class CutSum {
 public:
  void add(double term) { terms_[count_++] = term; }
  float value() const {
    double largest = 0;
    for (int i = 0; i < count_; ++i) largest = std::max(largest, std::fabs(terms_[i]));
    if (!(largest > 0)) return static_cast<float>(largest);
    const double unit = std::ldexp(1, std::ilogb(largest) - 24), inverse = 1 / unit;
    double sum = 0;
    for (int i = 0; i < count_; ++i) sum += static_cast<double>(static_cast<long long>(terms_[i] * inverse));
    sum *= unit;
    const float rounded = static_cast<float>(sum);
    return std::fabs(rounded) > std::fabs(sum) ? std::nextafter(rounded, 0.0f) : rounded;
  }

 private:
  double terms_[17];
  int count_ = 0;
};

// d[16,8] += a[16,k] b[k,8]; `aAt` and `bAt` give elements, by row and column, from the 32 lanes' registers.
template <int kDepth, class A, class B>
void multiplyAdd(const LaneData* in, LaneData* out, A aAt, B bAt) {
  ProductLane lanes[kWarp];
  for (unsigned i = 0; i < kWarp; ++i) lanes[i] = valueOf<ProductLane>(in[i]);
  for (unsigned i = 0; i < kWarp; ++i) {
    Quad to;
    for (unsigned c = 0; c < 4; ++c) {
      const unsigned row = i / 4 + (c / 2) * 8, column = 2 * (i % 4) + c % 2;
      CutSum sum;
      sum.add(lanes[i].d[c]);
      for (unsigned k = 0; k < kDepth; ++k)
        sum.add(static_cast<double>(aAt(lanes, row, k)) * static_cast<double>(bAt(lanes, k, column)));
      to.d[c] = sum.value();
    }
    out[i] = laneData(to);
  }
}

inline float halfOf(uint32_t pair, unsigned which) { return halfToFloat(static_cast<uint16_t>(pair >> (16 * which))); }

inline void requireWarp(uint32_t given) {
  if (given != 0xffffffffu) throw Fault("a matrix instruction takes a whole warp");
}

inline void multiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               std::source_location where) {
  ProductLane mine;
  std::memcpy(mine.d, d, sizeof mine.d);
  std::memcpy(mine.a, a, sizeof mine.a);
  std::memcpy(mine.b, b, sizeof mine.b);
  const auto combine = [](const LaneData* in, uint32_t given, LaneData* out) {
    requireWarp(given);
    multiplyAdd<16>(
        in, out,
        [](const ProductLane* lanes, unsigned row, unsigned k) {
          return halfOf(lanes[row % 8 * 4 + k % 8 / 2].a[row / 8 + 2 * (k / 8)], k % 2);
        },
        [](const ProductLane* lanes, unsigned k, unsigned column) {
          return halfOf(lanes[column * 4 + k % 8 / 2].b[k / 8], k % 2);
        });
  };
  const Quad result = collect<Quad>(0xffffffffu, mine, combine, where);
  std::memcpy(d, result.d, sizeof result.d);
}

}  // namespace sfm::shim
