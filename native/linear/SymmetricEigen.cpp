#include "linear/SymmetricEigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/Error.h"
#include "linear/Product.h"
#include "linear/Scaling.h"
#include "linear/Tridiagonal.h"

namespace sfm::linear {

namespace {

// The number of largest magnitude, the first of several.
double largestOf(const double* row, int64_t n) {
  double largest = 0;
  for (int64_t j = 0; j < n; ++j)
    if (std::fabs(row[j]) > std::fabs(largest)) largest = row[j];
  return largest;
}

}  // namespace

void symmetricEigen(const Engine& engine, const double* a, int64_t n, double* values, double* vectors) {
  const int64_t size = n * n;
  auto copy = AlignedBuffer<double>::uninitialised(static_cast<size_t>(size));
  std::copy_n(a, size, copy.data());
  mirrorLower(copy.data(), n, n);
  bool finite;
  const int exponent = scalingExponent(copy.data(), size, &finite);
  if (!finite) throw Error(ErrorCode::NUMERICAL, "the matrix holds a number that is not finite");
  scale(copy.data(), size, exponent);
  Tridiagonal tridiagonal = tridiagonalise(engine, copy.data(), n);
  diagonalise(engine, tridiagonal);
  scale(tridiagonal.diagonal.data(), n, -exponent);

  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const AlignedBuffer<double>& found = tridiagonal.diagonal;
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return found[i] > found[j]; });
  // The rows of Q^T become columns, a few at a time, so that whole cache lines are written.
  constexpr int64_t kColumns = 8;
  engine.parallel((n + kColumns - 1) / kColumns, [&](int64_t task) {
    const int64_t j0 = task * kColumns, width = std::min(kColumns, n - j0);
    const double* rows[kColumns];
    double signs[kColumns];
    for (int64_t j = 0; j < width; ++j) {
      const int64_t from = order[static_cast<size_t>(j0 + j)];
      values[j0 + j] = found[from];
      rows[j] = tridiagonal.rotation.data() + from * n;
      signs[j] = largestOf(rows[j], n) < 0 ? -1 : 1;
    }
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width; ++j) vectors[i * n + j0 + j] = signs[j] * rows[j][i] + 0.0;  // no -0
  });
}

}  // namespace sfm::linear
