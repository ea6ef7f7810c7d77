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
  UpperTriangle information;  // S
  const double* shift;  // h: [D]
};

// An image's, which counts `weight` times, its shift `scale` times. Without evidence it is not asked about.
struct WeighedImage {
  PersonEvidence evidence;
  double weight, scale;
};

// Others' evidence, in double precision, and what it becomes with each of some images.
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
    out[kEvidenceNormaliser] = 0.5 * d_ * log(prior) - logDiagonal();
    if (!moments) return true;
    Kernels::backward(system_.data(), d_, d_, ld_, right_.data());
    out[kEvidenceSquaredMean] = squaredNorm(right_.data(), d_);
    out[kEvidenceSpread] = Kernels::inverseTrace(system_.data(), 0, d_, ld_, strip_.data());
    return true;
  }

 private:
  // The sum of the logarithms of U's diagonal, few at a time by their product: single numbers to the fifth power do not
  // overflow.
  double logDiagonal() const {
    constexpr int kFactors = 5;
    double sum = 0;
    for (int i = 0; i < d_; i += kFactors) {
      double product = 1;
      for (long k = i; k < i + kFactors && k < d_; ++k)
        product *= static_cast<double>(system_[static_cast<size_t>(k * ld_ + k)]);
      sum += log(product);
    }
    return sum;
  }

  // A and h.
  void set(const PersonEvidence& others, const WeighedImage& image, double prior) {
    const UpperTriangle& told = image.evidence.information;
    told.twice ? set(others, told.twice, image, prior) : set(others, told.single, image, prior);
  }

  template <class Told>
  void set(const PersonEvidence& others, const Told* told, const WeighedImage& image, double prior) {
    const double* SFM_RESTRICT from = others.information.twice;
    const Told* SFM_RESTRICT add = told;
    for (int i = 0; i < d_; ++i) {
      Real* SFM_RESTRICT row = system_.data() + static_cast<long>(i) * ld_ + i;
      const int count = d_ - i;
      for (int j = 0; j < count; ++j) row[j] = static_cast<Real>(from[j] + image.weight * static_cast<double>(add[j]));
      row[0] += static_cast<Real>(prior);
      from += count;
      add += count;
      right_[static_cast<size_t>(i)] =
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
