// What one thread needs to fit one face at a time: made once for a scheme, so that the loop allocates nothing.
#pragma once

#include "core/AlignedBuffer.h"
#include "core/Fit.h"
#include "core/FitPose.h"
#include "core/LandmarkBasis.h"
#include "core/PoseStart.h"

namespace sfm {

constexpr int kChunkLandmarks =
    72;  // Jacobian rows are formed and folded into the normal equations this many landmarks at a time
constexpr int kPairCapacity = (3 * kChunkLandmarks + 1) / 2;  // of these rows, two by two
constexpr int kRowSlack = 16;        // spare rows for register tiles that overshoot
constexpr int kColumnMultiple = 32;
constexpr int kInverseStrip = 128;   // columns of the inverse factor formed at a time

inline int paddedColumns(int columns) { return (columns + kColumnMultiple - 1) / kColumnMultiple * kColumnMultiple; }
// Of register tiles, whatever their size.
inline int wholeTiles(int columns) { return (columns + kRowSlack - 1) / kRowSlack * kRowSlack; }

// The leading dimension of a system.
inline int systemColumns(const LandmarkBasis& basis) {
  return paddedColumns(basis.tangentCount + kPoseCapacity + basis.nuisanceCount + basis.expressionCount);
}

// What a state of the unknowns predicts.
template <class Real>
struct FitEvaluation {
  AlignedBuffer<Real> identityPart;  // [L,3] B v: the identity's displacement over sinc
  AlignedBuffer<double> turned;      // [L,3] R S (image) or R S + t (scan)
  AlignedBuffer<double> residual;    // [L,3] predicted - observed, pixels or mm
  AlignedBuffer<double> squared;     // [L] normalised squared residual
  AlignedBuffer<double> identityPull;  // [D] C^-1 v
};

// The unknowns of one face.
template <class Real>
struct FitState : FitPose {
  AlignedBuffer<Real> latents;  // [stride] v, nuisances, e: laid out as a row of the landmark basis
};

template <class Real>
struct FitWorkspace {
  explicit FitWorkspace(const LandmarkBasis& basis) {
    const size_t landmarks = static_cast<size_t>(basis.landmarkCount);
    ld = systemColumns(basis);
    expressionLd = paddedColumns(basis.expressionCount);
    for (FitEvaluation<Real>& evaluation : evaluations) {
      evaluation.identityPart = AlignedBuffer<Real>(3 * landmarks);
      evaluation.turned = AlignedBuffer<double>(3 * landmarks);
      evaluation.residual = AlignedBuffer<double>(3 * landmarks);
      evaluation.squared = AlignedBuffer<double>(landmarks);
      evaluation.identityPull = AlignedBuffer<double>(static_cast<size_t>(basis.tangentCount));
    }
    for (FitState<Real>& state : states) state.latents = AlignedBuffer<Real>(static_cast<size_t>(basis.stride));
    identityOffset = AlignedBuffer<double>(static_cast<size_t>(basis.tangentCount));
    linearPart = AlignedBuffer<Real>(3 * landmarks);
    active = AlignedBuffer<int>(landmarks);
    inverseVariance = AlignedBuffer<double>(landmarks);
    posePoints = AlignedBuffer<PosePoint>(landmarks);
    jacobian = AlignedBuffer<Real>(static_cast<size_t>(3 * kChunkLandmarks + 1) * ld);
    packed = AlignedBuffer<Real>(static_cast<size_t>(kPairCapacity) * ld);
    hessian = AlignedBuffer<Real>(static_cast<size_t>(ld + kRowSlack) * ld);
    damped = AlignedBuffer<Real>(static_cast<size_t>(ld + kRowSlack) * ld);
    inverse = AlignedBuffer<Real>(static_cast<size_t>(ld) * kInverseStrip);
    coefficientGradient = AlignedBuffer<Real>(static_cast<size_t>(basis.stride));
    gradient = AlignedBuffer<Real>(static_cast<size_t>(ld));
    step = AlignedBuffer<Real>(static_cast<size_t>(ld));
    schur = AlignedBuffer<Real>(static_cast<size_t>(expressionLd + kRowSlack) * expressionLd);
    boxWork = AlignedBuffer<Real>(static_cast<size_t>(expressionLd + kRowSlack + 2) * expressionLd);
    boxVectors = AlignedBuffer<Real>(4 * static_cast<size_t>(expressionLd));
    boxIndex = AlignedBuffer<int>(static_cast<size_t>(expressionLd));
    boxState = AlignedBuffer<signed char>(static_cast<size_t>(expressionLd));
    for (AlignedBuffer<double>& vector : latentVectors)
      vector = AlignedBuffer<double>(static_cast<size_t>(basis.tangentCount) + 1);
  }

  int ld;            // leading dimension of the system
  int expressionLd;  // and of the expressions' part of it
  FitEvaluation<Real> evaluations[2];
  FitState<Real> states[2];
  AlignedBuffer<double> identityOffset;    // [D] of the identity from where its prior has it
  AlignedBuffer<Real> linearPart;          // [L,3] what nuisances and expressions add to the identity
  AlignedBuffer<int> active;               // landmarks in use
  AlignedBuffer<double> inverseVariance;   // [active] confidence / sigma^2
  AlignedBuffer<PosePoint> posePoints;     // [active]
  AlignedBuffer<Real> jacobian;            // [3 chunk][ld] weighted rows
  AlignedBuffer<Real> packed;              // [ld / 16][kPairCapacity][16] rows in pairs (kernels/RoughLinear.h)
  AlignedBuffer<Real> hessian, damped;     // [ld + slack][ld]
  AlignedBuffer<Real> inverse;             // [ld][kInverseStrip] columns of the inverse factor
  AlignedBuffer<Real> coefficientGradient;  // [stride] by the coefficients of a row of the landmark basis
  AlignedBuffer<Real> gradient, step;      // [ld]
  AlignedBuffer<Real> schur, boxWork, boxVectors;
  AlignedBuffer<int> boxIndex;
  AlignedBuffer<signed char> boxState;
  AlignedBuffer<double> latentVectors[3];  // [K] tangent, latent, direction: for the result
};

}  // namespace sfm
