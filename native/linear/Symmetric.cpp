#include "linear/Symmetric.h"

#include <algorithm>
#include <cmath>

namespace sfm::linear {

bool isSymmetric(const double* a, int64_t n) {
  constexpr int64_t kBlock = 32;  // both sides of the diagonal stay in the cache
  double largest = 0, difference = 0;
  for (int64_t i0 = 0; i0 < n; i0 += kBlock)
    for (int64_t j0 = 0; j0 <= i0; j0 += kBlock)
      for (int64_t i = i0; i < std::min(n, i0 + kBlock); ++i)
        for (int64_t j = j0; j < std::min(i + 1, j0 + kBlock); ++j) {
          largest = std::max(largest, std::fabs(a[i * n + j]));
          difference = std::max(difference, std::fabs(a[i * n + j] - a[j * n + i]));
        }
  return !(difference > 1e-9 * largest);
}

}  // namespace sfm::linear
