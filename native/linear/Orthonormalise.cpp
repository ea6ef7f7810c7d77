#include "linear/Orthonormalise.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/Error.h"
#include "linear/Product.h"
#include "linear/Scaling.h"

namespace sfm::linear {

namespace {

constexpr int64_t kBlock = 32;
constexpr int64_t kTaskColumns = 1024;

// Takes the part that lies in the span of the orthonormal rows of `basis` out of each row of `x`; `m` is their length.
void project(const Engine& engine, const double* basis, int64_t rank, double* x, int64_t count, int64_t m,
             AlignedBuffer<double>& products) {
  const Operand q = rowMajor(basis, rank, m, m);
  multiply(engine, rowMajor(x, count, m, m), q.transposed(), Update::kSet, products.data(), rank);
  multiply(engine, rowMajor(products.data(), count, rank, rank), q, Update::kSubtract, x, m);
}

// The same for one row, and a short basis.
void projectRow(const Engine& engine, const double* basis, int64_t rank, double* x, int64_t m) {
  double products[kBlock];
  const bool alone = rank * m < (1 << 16);
  const Parallel parallel = alone ? Parallel() : engine.parallel;
  parallel(rank, [&](int64_t i) { engine.kernels.dots(basis + i * m, m, 1, m, x, products + i); });
  parallel((m + kTaskColumns - 1) / kTaskColumns, [&](int64_t task) {
    const int64_t j = task * kTaskColumns, width = std::min(kTaskColumns, m - j);
    for (int64_t i = 0; i < rank; ++i) engine.kernels.addScaled(-products[i], basis + i * m + j, width, x + j);
  });
}

double lengthOf(const Engine& engine, const double* x, int64_t m) {
  double square;
  engine.kernels.dots(x, m, 1, m, x, &square);
  return std::sqrt(square);
}

// The columns j0.. of a row-major [m,n] matrix as rows, each with its largest number brought to a magnitude of about 1.
void takeColumns(const double* a, int64_t m, int64_t n, int64_t j0, int64_t count, double* rows) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < count; ++j) rows[j * m + i] = a[i * n + j0 + j];
  for (int64_t j = 0; j < count; ++j) {
    bool finite;
    const int exponent = scalingExponent(rows + j * m, m, &finite);
    if (!finite)
      throw Error(ErrorCode::NUMERICAL, "column " + std::to_string(j0 + j) + " holds a number that is not finite");
    scale(rows + j * m, m, exponent);
  }
}

void divideRow(double* x, int64_t m, double divisor) {
  for (int64_t i = 0; i < m; ++i) x[i] /= divisor;
}

}  // namespace

// Block Gram-Schmidt, each block projected twice: what a first projection leaves of a vector that nearly depends on the
// others has lost its orthogonality to them, and a second one gives it back.
OrthonormalBasis orthonormalise(const Engine& engine, const double* a, int64_t m, int64_t n, double tolerance) {
  OrthonormalBasis basis{0, AlignedBuffer<double>::uninitialised(static_cast<size_t>(n * m)),
                         AlignedBuffer<uint8_t>(static_cast<size_t>(n))};
  AlignedBuffer<double> products(static_cast<size_t>(kBlock * n));
  double lengths[kBlock];
  for (int64_t j0 = 0; j0 < n; j0 += kBlock) {
    const int64_t count = std::min(kBlock, n - j0);
    double* block = basis.vectors.data() + basis.rank * m;
    takeColumns(a, m, n, j0, count, block);
    for (int64_t k = 0; k < count; ++k) lengths[k] = lengthOf(engine, block + k * m, m);
    project(engine, basis.vectors.data(), basis.rank, block, count, m, products);
    int64_t kept = 0;
    for (int64_t k = 0; k < count && basis.rank + kept < m; ++k) {
      double* x = block + kept * m;
      if (k > kept) std::copy_n(block + k * m, m, x);
      for (int pass = 0; pass < 2; ++pass) projectRow(engine, block, kept, x, m);
      const double length = lengthOf(engine, x, m);
      if (!(length > tolerance * lengths[k])) continue;
      divideRow(x, m, length);
      basis.kept[j0 + k] = 1;
      ++kept;
    }
    project(engine, basis.vectors.data(), basis.rank, block, kept, m, products);
    for (int64_t k = 0; k < kept; ++k) {
      double* x = block + k * m;
      projectRow(engine, block, k, x, m);
      divideRow(x, m, lengthOf(engine, x, m));
    }
    basis.rank += kept;
  }
  return basis;
}

}  // namespace sfm::linear
