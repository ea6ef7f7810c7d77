// The inverse of a small dense matrix in the plainest way there is.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

namespace sfm::test {

// Gauss-Jordan elimination with row pivoting; `a` is [n,n].
inline std::vector<double> inverse(std::vector<double> a, int n) {
  std::vector<double> b(static_cast<size_t>(n) * n);
  const auto at = [n](int i, int j) { return static_cast<size_t>(i) * n + j; };
  for (int i = 0; i < n; ++i) b[at(i, i)] = 1;
  for (int k = 0; k < n; ++k) {
    int pivot = k;
    for (int i = k + 1; i < n; ++i)
      if (std::fabs(a[at(i, k)]) > std::fabs(a[at(pivot, k)])) pivot = i;
    for (int j = 0; j < n; ++j) {
      std::swap(a[at(k, j)], a[at(pivot, j)]);
      std::swap(b[at(k, j)], b[at(pivot, j)]);
    }
    const double scale = 1 / a[at(k, k)];
    for (int j = 0; j < n; ++j) {
      a[at(k, j)] *= scale;
      b[at(k, j)] *= scale;
    }
    for (int i = 0; i < n; ++i) {
      const double factor = i == k ? 0 : a[at(i, k)];
      for (int j = 0; j < n; ++j) {
        a[at(i, j)] -= factor * a[at(k, j)];
        b[at(i, j)] -= factor * b[at(k, j)];
      }
    }
  }
  return b;
}

}  // namespace sfm::test
