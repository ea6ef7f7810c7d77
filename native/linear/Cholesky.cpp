#include "linear/Cholesky.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/AlignedBuffer.h"
#include "core/Error.h"
#include "linear/Product.h"

namespace sfm::linear {

namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kTaskRows = 32, kTaskColumns = 256;

// A block of the diagonal as the upper triangle U = L^T, whose rows are contiguous.
class DiagonalBlock {
 public:
  explicit DiagonalBlock(const Engine& engine) : kernels_(engine.kernels), u_(kBlock * kBlock) {}

  // Takes over the lower triangle of `size` rows and columns.
  void take(const double* l, int64_t size, int64_t stride) {
    size_ = size;
    for (int64_t i = 0; i < size; ++i)
      for (int64_t j = 0; j <= i; ++j) at(j, i) = l[i * stride + j];
  }

  void give(double* l, int64_t stride) const {
    for (int64_t i = 0; i < size_; ++i)
      for (int64_t j = 0; j <= i; ++j) l[i * stride + j] = at(j, i);
  }

  // `first`: the number of the block's first row in its matrix, for the message.
  void factor(int64_t first) {
    for (int64_t k = 0; k < size_; ++k) {
      const double pivot = at(k, k);
      if (!(pivot > 0) || !std::isfinite(pivot))
        throw Error(ErrorCode::NUMERICAL, "the matrix is not positive definite: pivot " + std::to_string(first + k) +
                                              " is " + std::to_string(pivot));
      const double root = std::sqrt(pivot);
      for (int64_t j = k; j < size_; ++j) at(k, j) /= root;
      for (int64_t i = k + 1; i < size_; ++i) kernels_.addScaled(-at(k, i), &at(k, i), size_ - i, &at(i, i));
    }
  }

  // x L^T = x, for one row vector x.
  void solveRow(double* x) const {
    for (int64_t j = 0; j < size_; ++j) {
      x[j] /= at(j, j);
      kernels_.addScaled(-x[j], &at(j, j) + 1, size_ - j - 1, x + j + 1);
    }
  }

 private:
  double& at(int64_t i, int64_t j) { return u_[static_cast<size_t>(i * kBlock + j)]; }
  const double& at(int64_t i, int64_t j) const { return u_[static_cast<size_t>(i * kBlock + j)]; }

  const LinearKernels& kernels_;
  AlignedBuffer<double> u_;
  int64_t size_ = 0;
};

void requireRegular(const double* l, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double pivot = l[i * n + i];
    if (pivot == 0 || !std::isfinite(pivot))
      throw Error(ErrorCode::NUMERICAL, "the triangular matrix is singular: number " + std::to_string(i) +
                                            " of its diagonal is " + std::to_string(pivot));
  }
}

// Calls body(j, width) for strips of the m columns, which do not depend on each other.
template <class Body>
void forEachStrip(const Engine& engine, int64_t m, Body body) {
  engine.parallel((m + kTaskColumns - 1) / kTaskColumns, [&](int64_t task) {
    const int64_t j = task * kTaskColumns;
    body(j, std::min(kTaskColumns, m - j));
  });
}

void divideRow(double* row, int64_t size, double divisor) {
  for (int64_t j = 0; j < size; ++j) row[j] /= divisor;
}

}  // namespace

void cholesky(const Engine& engine, double* a, int64_t n) {
  DiagonalBlock block(engine);
  for (int64_t k0 = 0; k0 < n; k0 += kBlock) {
    const int64_t k1 = std::min(n, k0 + kBlock), size = k1 - k0, rest = n - k1;
    block.take(a + k0 * n + k0, size, n);
    block.factor(k0);
    block.give(a + k0 * n + k0, n);
    double* panel = a + k1 * n + k0;
    engine.parallel((rest + kTaskRows - 1) / kTaskRows, [&](int64_t task) {
      for (int64_t i = task * kTaskRows; i < std::min(rest, (task + 1) * kTaskRows); ++i) block.solveRow(panel + i * n);
    });
    const Operand below = rowMajor(panel, rest, size, n);
    multiply(engine, below, below.transposed(), Update::kSubtract, a + k1 * n + k1, n, Part::kLower);
  }
  for (int64_t i = 0; i < n; ++i) std::fill_n(a + i * n + i + 1, n - i - 1, 0.0);
}

void solveLower(const Engine& engine, const double* l, int64_t n, double* b, int64_t m) {
  requireRegular(l, n);
  for (int64_t k0 = 0; k0 < n; k0 += kBlock) {
    const int64_t k1 = std::min(n, k0 + kBlock);
    forEachStrip(engine, m, [&](int64_t j, int64_t width) {
      for (int64_t i = k0; i < k1; ++i) {
        double* row = b + i * m + j;
        for (int64_t k = k0; k < i; ++k) engine.kernels.addScaled(-l[i * n + k], b + k * m + j, width, row);
        divideRow(row, width, l[i * n + i]);
      }
    });
    multiply(engine, rowMajor(l + k1 * n + k0, n - k1, k1 - k0, n), rowMajor(b + k0 * m, k1 - k0, m, m),
             Update::kSubtract, b + k1 * m, m);
  }
}

void solveLowerTransposed(const Engine& engine, const double* l, int64_t n, double* b, int64_t m) {
  requireRegular(l, n);
  for (int64_t k1 = n; k1 > 0;) {
    const int64_t k0 = (k1 - 1) / kBlock * kBlock;
    forEachStrip(engine, m, [&](int64_t j, int64_t width) {
      for (int64_t i = k1 - 1; i >= k0; --i) {
        double* row = b + i * m + j;
        divideRow(row, width, l[i * n + i]);
        for (int64_t k = k0; k < i; ++k) engine.kernels.addScaled(-l[i * n + k], row, width, b + k * m + j);
      }
    });
    multiply(engine, rowMajor(l + k0 * n, k1 - k0, k0, n).transposed(), rowMajor(b + k0 * m, k1 - k0, m, m),
             Update::kSubtract, b, m);
    k1 = k0;
  }
}

namespace {

// The natural logarithm of a positive number by the series of the inverse hyperbolic tangent, to about 1e-16: C
// libraries differ in its last bit.
double logarithm(double x) {
  constexpr double kLog2 = 0.693147180559945309417232121458;
  int exponent;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double t = (mantissa - 1) / (mantissa + 1), square = t * t;  // |t| < 0.172
  double series = 0;
  for (int k = 21; k >= 1; k -= 2) series = series * square + 1.0 / k;
  return exponent * kLog2 + 2 * t * series;
}

}  // namespace

double logDeterminant(const double* l, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double pivot = l[i * n + i];
    if (!(pivot > 0) || !std::isfinite(pivot))
      throw Error(ErrorCode::NUMERICAL, "the triangular matrix is no Cholesky factor: number " + std::to_string(i) +
                                            " of its diagonal is " + std::to_string(pivot));
    sum += logarithm(pivot);
  }
  return 2 * sum;
}

}  // namespace sfm::linear
