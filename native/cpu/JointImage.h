// What an image of a joint fit keeps from one pass to the next (cpu/JointSolver.h).
#pragma once

#include <memory>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/Batch.h"
#include "core/LandmarkBasis.h"
#include "cpu/FitWorkspace.h"

namespace sfm {

// The factors U of the image's normal matrix and the right-hand side U^-T (-g), in two steps: of what is the image's
// alone, and of the scale and the identity, which the person moves.
template <class Real>
struct JointFactors {
  AlignedBuffer<Real> own;  // [others + slack][ld], ld as in FitWorkspace
  AlignedBuffer<Real> shared;  // [D + 1 + slack][sharedColumns]: U, and U^-T C with C the coupling to the person
  AlignedBuffer<Real> ownRight;  // [ld]
  AlignedBuffer<Real> sharedRight;  // [sharedColumns]
  std::vector<signed char> boundary;  // [E] BoundState of the expressions that were held when H was factored
};

struct JointImage {
  std::vector<double> seed;  // see core/FitSeed.h; empty: the image has not been fitted yet
  double scale = 0;  // log s0, from which its size is measured
  std::vector<double> person;  // [D] the w that it was fitted for
  // What it says of w, without the prior of w: the information of the last normal matrix [D(D+1)/2], and the shift [D].
  std::vector<double> information, shift;
  std::unique_ptr<JointFactors<float>> single;
  std::unique_ptr<JointFactors<double>> twice;
};

// Those of one batch. Every pass over them is of the same model, scheme, options and kind of landmarks.
struct JointImages {
  explicit JointImages(const FitBatch& batch)
      : images(static_cast<size_t>(batch.count)),
        scheme(batch.scheme),
        space(batch.space),
        nuisances(batch.options.nuisances),
        weakPerspective(batch.options.weakPerspective) {}
  // Whether a batch's images can be these.
  bool fit(const FitBatch& batch) const {
    return static_cast<size_t>(batch.count) == images.size() && batch.scheme == scheme && batch.space == space &&
           batch.options.nuisances == nuisances && batch.options.weakPerspective == weakPerspective;
  }
  std::vector<JointImage> images;

 private:
  const std::shared_ptr<const LandmarkScheme> scheme;
  const ObservationSpace space;
  const bool nuisances, weakPerspective;
};

inline int sharedColumns(const LandmarkBasis& basis) { return paddedColumns(2 * basis.tangentCount + 1); }

// What one thread needs besides its FitWorkspace.
template <class Real>
struct JointWorkspace {
  explicit JointWorkspace(const LandmarkBasis& basis)
      : shared(static_cast<size_t>(sharedColumns(basis) + kRowSlack) * sharedColumns(basis)),
        step(static_cast<size_t>(sharedColumns(basis))),
        direct(static_cast<size_t>(basis.tangentCount)) {}
  AlignedBuffer<Real> shared;  // [sharedColumns + slack][sharedColumns]
  AlignedBuffer<Real> step;  // [sharedColumns]
  AlignedBuffer<double> direct;  // [D] the objective's gradient by w alone
};

}  // namespace sfm
