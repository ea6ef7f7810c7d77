// What an image of a joint fit keeps from one pass to the next (cpu/JointSolver.h).
#pragma once

#include <memory>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/Batch.h"
#include "core/LandmarkBasis.h"
#include "core/Posterior.h"
#include "cpu/FitWorkspace.h"

namespace sfm {

// Shared pointers are dealt with in JointImage.cpp, since their code must not be compiled for one instruction set and linked
// for all.

inline int sharedColumns(const LandmarkBasis& basis) {
  return paddedColumns(wholeTiles(basis.tangentCount) + basis.tangentCount);
}

// The factors U of the image's normal matrix and the right-hand side U^-T (-g), in two steps: of all but the identity v, and
// of v, which follows the person's w.
template <class Real>
struct JointFactors {
  explicit JointFactors(const LandmarkBasis& basis);
  // The system changes places with this one.
  void takeSystem(AlignedBuffer<Real>* system);
  AlignedBuffer<Real>
      own;  // [ld + slack][ld], see FitWorkspace: U, and the Schur complement of v without the sphere's bend
  AlignedBuffer<Real> shared;  // [wholeTiles(D) + slack][sharedColumns]: U of v, for v and w
  AlignedBuffer<Real> information;  // [D(D+1)/2] on w, see UpperTriangle
  AlignedBuffer<Real> scaleRow;  // [D] for w, of the scale's row of U
  AlignedBuffer<Real> ownRight;  // [ld]
  AlignedBuffer<Real> sharedRight;  // [sharedColumns]
  AlignedBuffer<bool> held;  // [E] expressions that bounds hold where they are
  bool valid = false;  // whether they are of a normal matrix of the image
};

struct JointImage {
  std::vector<double> seed;  // see core/FitSeed.h; empty: the image has not been fitted yet
  double scale = 0;  // log s0, from which its size is measured
  std::vector<double> person;  // [D] the w that it was fitted for
  // What it says of w, without the prior of w: the information of the last normal matrix, which is among the factors, and
  // the shift [D]. None where it could not be fitted.
  UpperTriangle information;
  std::vector<double> shift;
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
  AlignedBuffer<Real> shared;  // [sharedColumns + slack][sharedColumns] of v and w
  AlignedBuffer<Real> step;  // [sharedColumns] likewise
  AlignedBuffer<double> direct;  // [D] the objective's gradient by w alone

  // Lends an image what it needs: such as no image has any more, since fresh memory costs more than what is written to it.
  void lend(std::shared_ptr<JointFactors<Real>>* factors);

 private:
  static constexpr size_t kMostKept = 128;  // 190 kB each for the embedded model
  std::vector<std::shared_ptr<JointFactors<Real>>> made;
  size_t next = 0;
};

}  // namespace sfm
