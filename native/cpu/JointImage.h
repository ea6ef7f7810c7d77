// What an image of a joint fit keeps from one pass to the next (cpu/JointSolver.h).
#pragma once

#include <memory>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/Batch.h"
#include "core/LandmarkBasis.h"
#include "cpu/FitWorkspace.h"

namespace sfm {

// Shared pointers are dealt with in JointImage.cpp, since their code must not be compiled for one instruction set and linked
// for all.

inline int sharedColumns(const LandmarkBasis& basis) { return paddedColumns(2 * basis.tangentCount + 1); }

// The factors U of the image's normal matrix and the right-hand side U^-T (-g), in two steps: of what is the image's
// alone, and of the scale and the identity, which the person moves.
template <class Real>
struct JointFactors {
  explicit JointFactors(const LandmarkBasis& basis);
  AlignedBuffer<Real> own;  // [others + slack][ld], ld as in FitWorkspace
  AlignedBuffer<Real> shared;  // [D + 1 + slack][sharedColumns]: U, and U^-T C with C the coupling to the person
  int schurColumns;
  AlignedBuffer<Real> schur;  // [D + 1][schurColumns] of the scale and the identity, without the bend of the sphere
  AlignedBuffer<Real> ownRight;  // [ld]
  AlignedBuffer<Real> sharedRight;  // [sharedColumns]
  bool valid = false;  // whether they are of a normal matrix of the image
  std::vector<int> order;  // the unknowns in the system: those of its own, then the shared ones
};

struct JointImage {
  std::vector<double> seed;  // see core/FitSeed.h; empty: the image has not been fitted yet
  double scale = 0;  // log s0, from which its size is measured
  std::vector<double> person;  // [D] the w that it was fitted for
  // What it says of w, without the prior of w: the information of the last normal matrix [D(D+1)/2], and the shift [D].
  std::vector<double> information, shift;
  std::shared_ptr<JointFactors<float>> single;
  std::shared_ptr<JointFactors<double>> twice;
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

// What one thread needs besides its FitWorkspace.
template <class Real>
struct JointWorkspace {
  explicit JointWorkspace(const LandmarkBasis& landmarks)
      : basis(landmarks),
        shared(static_cast<size_t>(sharedColumns(basis) + kRowSlack) * sharedColumns(basis)),
        step(static_cast<size_t>(sharedColumns(basis))),
        direct(static_cast<size_t>(basis.tangentCount)) {}
  const LandmarkBasis& basis;
  AlignedBuffer<Real> shared;  // [sharedColumns + slack][sharedColumns]
  AlignedBuffer<Real> step;  // [sharedColumns]
  AlignedBuffer<double> direct;  // [D] the objective's gradient by w alone

  // Lends an image what it needs: such as no image has any more, since fresh memory costs more than what is written to it.
  void lend(std::shared_ptr<JointFactors<Real>>* factors);

 private:
  static constexpr size_t kMostKept = 128;  // 100 kB each for the embedded model
  std::vector<std::shared_ptr<JointFactors<Real>>> made;
  size_t next = 0;
};

}  // namespace sfm
