// What evidence of a person comes to: the likelihood of images, together or each by itself.
#pragma once

#include <math.h>

#include <vector>

#include "core/Platform.h"
#include "core/Posterior.h"
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

// An image's, which counts `weight` times, its shift `scale` times. Without evidence it is not asked about.
struct WeighedImage {
  PersonEvidence evidence;
  double weight, scale;
};

// Others' evidence, and what it becomes with each of some images.
struct EvidenceToWeigh {
  PersonEvidence others;
  double prior;
  bool moments;
  const WeighedImage* images;
  int count;
};

namespace {

template <class Kernels>
class EvidenceScales {
 public:
  using Real = typename Kernels::Real;

  explicit EvidenceScales(int d)
      : d_(d),
        ld_(paddedColumns(d)),
        system_(static_cast<size_t>(ld_ + kRowSlack) * ld_),
        right_(static_cast<size_t>(ld_)),
        strip_(static_cast<size_t>(ld_) * kInverseStrip) {}

  // False where A is not positive definite.
  bool weigh(const PersonEvidence& others, const WeighedImage& image, double prior, bool moments, double* out) {
    set(others, image, prior);
    if (!Kernels::factor(system_.data(), d_, d_, ld_)) return false;
    Kernels::forward(system_.data(), d_, d_, ld_, right_.data());
    out[kEvidenceLikelihood] = 0.5 * squaredNorm(right_.data(), d_);
    double normaliser = 0;
    for (long i = 0; i < d_; ++i)
      normaliser += 0.5 * log(prior) - log(static_cast<double>(system_[static_cast<size_t>(i * ld_ + i)]));
    out[kEvidenceNormaliser] = normaliser;
    if (!moments) return true;
    Kernels::backward(system_.data(), d_, d_, ld_, right_.data());
    out[kEvidenceSquaredMean] = squaredNorm(right_.data(), d_);
    out[kEvidenceSpread] = Kernels::inverseTrace(system_.data(), 0, d_, ld_, strip_.data());
    return true;
  }

 private:
  // A and h, from the last coordinate to the first: a row of the lower triangle becomes one of the upper triangle then.
  void set(const PersonEvidence& others, const WeighedImage& image, double prior) {
    for (int i = 0; i < d_; ++i) {
      const size_t begin = packedTriangle(i);
      const double* SFM_RESTRICT from = others.information + begin;
      const double* SFM_RESTRICT add = image.evidence.information + begin;
      Real* SFM_RESTRICT last = system_.data() + static_cast<long>(d_ - 1 - i) * ld_ + d_ - 1;
      for (int j = 0; j <= i; ++j) last[-j] = static_cast<Real>(from[j] + image.weight * add[j]);
      last[-i] += static_cast<Real>(prior);
      right_[static_cast<size_t>(d_ - 1 - i)] =
          static_cast<Real>(others.shift[i] + image.weight * image.scale * image.evidence.shift[i]);
    }
  }

  const int d_, ld_;
  AlignedBuffer<Real> system_, right_, strip_;
};

// In single precision: odds of who is in an image do not need more. `out`: [count, kEvidenceNumbers], zeros. False where
// something is not positive definite.
template <class Kernels>
bool weighEvidence(int d, const EvidenceToWeigh& evidence, double* out) {
  EvidenceScales<Kernels> scales(d);
  for (int i = 0; i < evidence.count; ++i, out += kEvidenceNumbers) {
    const WeighedImage& image = evidence.images[i];
    if (image.evidence.information && !scales.weigh(evidence.others, image, evidence.prior, evidence.moments, out))
      return false;
  }
  return true;
}

}  // namespace
}  // namespace sfm
