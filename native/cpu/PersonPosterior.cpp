#include "cpu/PersonPosterior.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/Posterior.h"
#include "linear/Cholesky.h"
#include "linear/Product.h"

namespace sfm {

namespace {

using linear::Engine;

double at(const double* lower, int i, int j) {
  return i >= j ? lower[packedTriangle(i) + static_cast<size_t>(j)] : lower[packedTriangle(j) + static_cast<size_t>(i)];
}

// The shift of a person's evidence, so that its estimate has the length that the prior expects.
void scaleToExpectedLength(const Engine& engine, int d, const double* information, double* shift) {
  const size_t n = static_cast<size_t>(d);
  // I + S = L L^T; L^-1 and L^-1 h, one beside the other.
  std::vector<double> factor(n * n), solved(n * (n + 1));
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j <= i; ++j) factor[i * n + j] = at(information, i, j) + (i == j ? 1 : 0);
    solved[i * (n + 1) + i] = 1;
    solved[i * (n + 1) + n] = shift[i];
  }
  linear::cholesky(engine, factor.data(), d);
  linear::solveLower(engine, factor.data(), d, solved.data(), d + 1);
  std::vector<double> estimate(n);
  double expected = d;
  for (size_t i = 0; i < n; ++i) {
    const double* row = &solved[i * (n + 1)];
    for (size_t j = 0; j <= i; ++j) expected -= row[j] * row[j];  // tr (I + S)^-1
    estimate[i] = row[n];
  }
  linear::solveLowerTransposed(engine, factor.data(), d, estimate.data(), 1);
  double squared = 0;
  for (const double value : estimate) squared += value * value;
  const double scale = squared > 0 ? std::sqrt(std::max(expected, 0.0) / squared) : 1;
  for (size_t i = 0; i < n; ++i) shift[i] *= scale;
}

}  // namespace

void personPosterior(const Engine& engine, int d, const float* share, double* information, double* shift) {
  const size_t n = static_cast<size_t>(d), columns = n + 1;
  std::vector<double> scale(n), own(n);
  for (size_t i = 0; i < n; ++i) {
    scale[i] = std::sqrt(static_cast<double>(share[i]));
    own[i] = std::sqrt(1 - static_cast<double>(share[i]));
  }
  // [B S, B h], and I + B S B.
  std::vector<double> seen(n * columns), system(n * n);
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j < d; ++j) {
      const double value = own[i] * at(information, i, j);
      seen[i * columns + j] = value;
      system[i * n + j] = value * own[j] + (i == j ? 1 : 0);
    }
    seen[i * columns + n] = own[i] * shift[i];
  }
  linear::cholesky(engine, system.data(), d);
  linear::solveLower(engine, system.data(), d, seen.data(), d + 1);
  std::vector<double> taken(columns * columns);
  linear::gram(engine, linear::rowMajor(seen.data(), d, d + 1, d + 1), linear::Update::kSet, taken.data(), d + 1);
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j <= i; ++j) {
      double& value = information[packedTriangle(i) + static_cast<size_t>(j)];
      value = scale[i] * (value - taken[i * columns + j]) * scale[j];
    }
    shift[i] = scale[i] * (shift[i] - taken[i * columns + n]);
  }
  scaleToExpectedLength(engine, d, information, shift);
}

}  // namespace sfm
