// What evidence of a person comes to: the likelihood of images, together or each by itself.
#pragma once

#include <math.h>

#include <vector>

#include "core/Sphere.h"
#include "cpu/FitWorkspace.h"

namespace sfm {

// What A = p I + S and h say of w ~ N(A^-1 h, A^-1).
enum PersonEvidenceNumber {
  kEvidenceLikelihood,  // 1/2 h^T A^-1 h
  kEvidenceNormaliser,  // D/2 log p - 1/2 log det A; the sum is the logarithm of the likelihood's integral over the prior
  kEvidenceSpread,  // tr A^-1; this and the next where `moments` are wanted, 0 otherwise
  kEvidenceSquaredMean,  // |A^-1 h|^2
  kEvidenceNumbers,
};

// A piece of evidence of w [D], without the prior of w.
struct PersonEvidence {
  const double* information;  // S: [D(D+1)/2] lower triangle, row by row
  const double* shift;  // h: [D]
};

// What it is in all: others' evidence, and `weight` times an image's, whose shift counts `scale` times.
struct WeighedEvidence {
  PersonEvidence others, image;
  double weight, scale, prior;
};

namespace {

// In single precision: odds of who is in an image do not need more. False where A is not positive definite.
template <class Kernels>
bool weighEvidence(int d, const WeighedEvidence& evidence, bool moments, double* out) {
  using Real = typename Kernels::Real;
  const int ld = paddedColumns(d);
  AlignedBuffer<Real> system(static_cast<size_t>(ld + kRowSlack) * ld), right(static_cast<size_t>(ld));
  const auto& [others, image, weight, scale, prior] = evidence;
  for (long i = 0, at = 0; i < d; ++i) {
    for (long j = 0; j <= i; ++j, ++at)
      system[static_cast<size_t>(j * ld + i)] =
          static_cast<Real>(others.information[at] + weight * image.information[at] + (i == j ? prior : 0));
    right[static_cast<size_t>(i)] = static_cast<Real>(others.shift[i] + weight * scale * image.shift[i]);
  }
  if (!Kernels::factor(system.data(), d, d, ld)) return false;
  Kernels::forward(system.data(), d, d, ld, right.data());
  out[kEvidenceLikelihood] = 0.5 * squaredNorm(right.data(), d);
  double normaliser = 0;
  for (long i = 0; i < d; ++i)
    normaliser += 0.5 * log(prior) - log(static_cast<double>(system[static_cast<size_t>(i * ld + i)]));
  out[kEvidenceNormaliser] = normaliser;
  out[kEvidenceSpread] = out[kEvidenceSquaredMean] = 0;
  if (!moments) return true;
  Kernels::backward(system.data(), d, d, ld, right.data());
  out[kEvidenceSquaredMean] = squaredNorm(right.data(), d);
  AlignedBuffer<Real> strip(static_cast<size_t>(ld) * kInverseStrip);
  out[kEvidenceSpread] = Kernels::inverseTrace(system.data(), 0, d, ld, strip.data());
  return true;
}

}  // namespace
}  // namespace sfm
