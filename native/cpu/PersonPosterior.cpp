#include "cpu/PersonPosterior.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/Error.h"
#include "core/Posterior.h"
#include "linear/Cholesky.h"
#include "linear/Product.h"

namespace sfm {

namespace {

using linear::Engine;

double at(const double* lower, int i, int j) {
  return i >= j ? lower[packedTriangle(i) + static_cast<size_t>(j)] : lower[packedTriangle(j) + static_cast<size_t>(i)];
}

// What to multiply the shift by, so that the estimate has the length that the prior expects.
double lengthFactor(const CpuKernels& kernels, int d, const double* information, const double* shift) {
  std::vector<double> upper;
  upper.reserve(packedTriangle(d));
  for (int i = 0; i < d; ++i)
    for (int j = i; j < d; ++j) upper.push_back(at(information, i, j));
  const PersonEvidence person = {{nullptr, upper.data()}, shift};
  const WeighedImage nothing = {person, 0, 0};
  double numbers[kEvidenceNumbers];
  if (!kernels.weighEvidence(d, {person, 1, true, &nothing, 1}, numbers))
    throw Error(ErrorCode::NUMERICAL, "information: expected a positive semidefinite matrix");
  const double expected = d - numbers[kEvidenceSpread], squared = numbers[kEvidenceSquaredMean];
  return squared > 0 ? std::sqrt(std::max(expected, 0.0) / squared) : 1;
}

}  // namespace

void personPosterior(const CpuKernels& kernels, int d, const float* share, double* information, double* shift) {
  const Engine engine = {linear::linearKernelsFor(kernels.name), linear::Parallel()};
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
  const double scaled = lengthFactor(kernels, d, information, shift);
  for (size_t i = 0; i < n; ++i) shift[i] *= scaled;
}

}  // namespace sfm
