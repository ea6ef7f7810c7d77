#include "linear/Tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linear/Product.h"

namespace sfm::linear {

namespace {

constexpr int64_t kPanel = 32;     // reflections that change the rest of the matrix together
constexpr int64_t kTaskRows = 64;  // of a product with a vector

// Below this, a squared length in a matrix of magnitude 1 has lost its accuracy, and means nothing.
constexpr double kNegligible = 0x1p-900;

// I - tau v v^T with v[0] = 1, which maps x onto a multiple of the first axis, `image`.
struct Reflection {
  double tau = 0, image = 0;
};

// Overwrites x [n] with v.
Reflection reflect(const LinearKernels& kernels, double* x, int64_t n) {
  double tail;
  kernels.dots(x + 1, 0, 1, n - 1, x + 1, &tail);
  const double first = std::exchange(x[0], 1.0);
  if (!(tail > kNegligible)) {
    std::fill_n(x + 1, n - 1, 0.0);
    return {0, first};
  }
  const double length = std::sqrt(first * first + tail), image = first > 0 ? -length : length;
  for (int64_t i = 1; i < n; ++i) x[i] /= first - image;
  return {(image - first) / image, image};
}

// out = A x for the rows of A [rows, n].
void multiplyVector(const Engine& engine, const double* a, int64_t stride, int64_t rows, int64_t n, const double* x,
                    double* out) {
  constexpr int64_t kSmall = 1 << 16;
  const int64_t step = rows * n < kSmall ? std::max<int64_t>(rows, 1) : kTaskRows;
  engine.parallel((rows + step - 1) / step, [&](int64_t task) {
    const int64_t i = task * step;
    engine.kernels.dots(a + i * stride, stride, std::min(step, rows - i), n, x, out + i);
  });
}

// The reflections of one panel as I - V^T T V: V [count][n] row by row, T [kPanel][kPanel] upper triangular.
void triangularFactor(const LinearKernels& kernels, const double* v, int64_t stride, int64_t n, const double* tau,
                      int64_t count, double* t) {
  double products[kPanel];
  for (int64_t r = 0; r < count; ++r) {
    kernels.dots(v, stride, r, n, v + r * stride, products);
    for (int64_t i = 0; i < r; ++i) {
      double sum = 0;
      for (int64_t k = i; k < r; ++k) sum += t[i * kPanel + k] * products[k];
      t[i * kPanel + r] = -tau[r] * sum;
    }
    t[r * kPanel + r] = tau[r];
  }
}

}  // namespace

Tridiagonal tridiagonalise(const Engine& engine, double* a, int64_t n) {
  const LinearKernels& kernels = engine.kernels;
  const size_t size = static_cast<size_t>(n);
  Tridiagonal result{n, AlignedBuffer<double>(size), AlignedBuffer<double>(size), AlignedBuffer<double>(size * size)};
  const int64_t steps = std::max<int64_t>(n - 1, 0);  // reflections; the last only makes the code simpler
  // Of the panel under way: V and W such that A - V^T W - W^T V is current. Each row of A that is done with keeps its v.
  AlignedBuffer<double> taus(size), pair(2 * kPanel * size), swapped(2 * kPanel * size);
  double coefficients[2 * kPanel];

  for (int64_t j0 = 0; j0 < steps; j0 += kPanel) {
    const int64_t j1 = std::min(steps, j0 + kPanel), count = j1 - j0;
    double* v = pair.data();
    double* w = v + count * n;
    std::fill_n(v, 2 * count * n, 0.0);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t j = j0 + r, rest = n - j - 1;
      // Row j as it is after the panel's reflections so far.
      double* row = a + j * n + j;
      for (int64_t q = 0; q < r; ++q) {
        kernels.addScaled(-v[q * n + j], w + q * n + j, rest + 1, row);
        kernels.addScaled(-w[q * n + j], v + q * n + j, rest + 1, row);
      }
      result.diagonal[j] = row[0];
      double* vr = v + r * n + j + 1;
      double* wr = w + r * n + j + 1;
      std::copy_n(row + 1, rest, vr);
      const Reflection reflection = reflect(kernels, vr, rest);
      taus[j] = reflection.tau;
      result.offDiagonal[j] = reflection.image;
      std::fill_n(a + j * n + j0, r + 1, 0.0);
      std::copy_n(vr, rest, row + 1);
      // w = tau A v - (tau^2 v^T A v / 2) v
      multiplyVector(engine, a + (j + 1) * n + j + 1, n, rest, rest, vr, wr);
      kernels.dots(v + j + 1, n, r, rest, vr, coefficients);
      kernels.dots(w + j + 1, n, r, rest, vr, coefficients + kPanel);
      for (int64_t q = 0; q < r; ++q) {
        kernels.addScaled(-coefficients[kPanel + q], v + q * n + j + 1, rest, wr);
        kernels.addScaled(-coefficients[q], w + q * n + j + 1, rest, wr);
      }
      for (int64_t i = 0; i < rest; ++i) wr[i] *= reflection.tau;
      double along;
      kernels.dots(wr, 0, 1, rest, vr, &along);
      kernels.addScaled(-0.5 * reflection.tau * along, vr, rest, wr);
    }
    std::copy_n(w, count * n, swapped.data());
    std::copy_n(v, count * n, swapped.data() + count * n);
    double* trailing = a + j1 * n + j1;
    multiply(engine, rowMajor(v + j1, 2 * count, n - j1, n).transposed(),
             rowMajor(swapped.data() + j1, 2 * count, n - j1, n), Update::kSubtract, trailing, n, Part::kLower);
    mirrorLower(trailing, n - j1, n);
  }
  if (n > 0) result.diagonal[n - 1] = a[n * n - 1];

  // Q^T = .. H2 H1 H0, from the last panel to the first: each changes only what lies right of and below its beginning.
  double* q = result.rotation.data();
  for (int64_t i = 0; i < n; ++i) q[i * n + i] = 1;
  double t[kPanel * kPanel];
  AlignedBuffer<double> products(size * kPanel), scaled(size * kPanel);
  for (int64_t j0 = steps == 0 ? -1 : (steps - 1) / kPanel * kPanel; j0 >= 0; j0 -= kPanel) {
    const int64_t count = std::min(steps, j0 + kPanel) - j0, first = j0 + 1, rest = n - first;
    const Operand v = rowMajor(a + j0 * n + first, count, rest, n);
    std::fill_n(t, kPanel * kPanel, 0.0);
    triangularFactor(kernels, v.doubles, n, rest, taus.data() + j0, count, t);
    double* corner = q + first * n + first;
    multiply(engine, rowMajor(corner, rest, rest, n), v.transposed(), Update::kSet, products.data(), count);
    multiply(engine, rowMajor(products.data(), rest, count, count), rowMajor(t, count, count, kPanel).transposed(),
             Update::kSet, scaled.data(), count);
    multiply(engine, rowMajor(scaled.data(), rest, count, count), v, Update::kSubtract, corner, n);
  }
  return result;
}

}  // namespace sfm::linear
