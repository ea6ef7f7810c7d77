// Random numbers that are the same on every platform: the standard says what mt19937_64 gives, but not what its
// distributions make of it.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace sfm::test {

class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}

  uint64_t bits() { return bits_(); }
  double uniform() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  int below(int n) { return static_cast<int>(uniform() * n); }
  bool chance(double probability) { return uniform() < probability; }

  // Box and Muller's, one of the pair.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.28318530717958647692 * uniform());
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace sfm::test
