// Where a fit stands, as plain numbers: what another fit of the same landmarks can go on from.
#pragma once

#include "core/FitPose.h"
#include "core/LandmarkBasis.h"

namespace sfm {

enum FitSeed {
  kSeedRotation,  // 9
  kSeedTranslation = kSeedRotation + 9,  // 3
  kSeedCamera = kSeedTranslation + 3,  // 4: p, q, log s, log f
  kSeedNoise = kSeedCamera + 4,  // standard deviation of a good landmark, pixels or mm; NaN: nothing was fitted
  kSeedDrift,  // how the priors drive the log of the face's size: see FitSolver
  kSeedLatents,  // D: v; then all nuisances, then the expressions
};

inline size_t seedSize(const LandmarkBasis& basis) {
  return kSeedLatents + static_cast<size_t>(basis.tangentCount) + basis.nuisanceCount + basis.expressionCount;
}

// `latents` is laid out as a row of the landmark basis.
template <class Real>
static void writeSeed(const LandmarkBasis& basis, const FitPose& pose, double noise, double drift, const Real* latents,
                      double* seed) {
  for (int c = 0; c < 9; ++c) seed[kSeedRotation + c] = pose.rotation[c];
  for (int a = 0; a < 3; ++a) seed[kSeedTranslation + a] = pose.translation[a];
  const double camera[4] = {pose.camera.p, pose.camera.q, pose.camera.logScale, pose.camera.logFocal};
  for (int c = 0; c < 4; ++c) seed[kSeedCamera + c] = camera[c];
  seed[kSeedNoise] = noise;
  seed[kSeedDrift] = drift;
  double* to = seed + kSeedLatents;
  for (int i = 0; i < basis.tangentCount; ++i) *to++ = static_cast<double>(latents[i]);
  for (int i = 0; i < basis.nuisanceCount; ++i) *to++ = static_cast<double>(latents[basis.nuisanceStart + i]);
  for (int i = 0; i < basis.expressionCount; ++i) *to++ = static_cast<double>(latents[basis.expressionStart + i]);
}

// The camera's kind and principal point are the problem's, and stay.
template <class Real>
static void readSeed(const LandmarkBasis& basis, const double* seed, bool nuisances, FitPose* pose, Real* latents) {
  for (int c = 0; c < 9; ++c) pose->rotation[c] = seed[kSeedRotation + c];
  for (int a = 0; a < 3; ++a) pose->translation[a] = seed[kSeedTranslation + a];
  pose->camera.p = seed[kSeedCamera];
  pose->camera.q = seed[kSeedCamera + 1];
  pose->camera.logScale = seed[kSeedCamera + 2];
  pose->camera.logFocal = seed[kSeedCamera + 3];
  const double* from = seed + kSeedLatents;
  for (int i = 0; i < basis.tangentCount; ++i) latents[i] = static_cast<Real>(*from++);
  for (int i = 0; i < basis.nuisanceCount; ++i, ++from)
    latents[basis.nuisanceStart + i] = nuisances ? static_cast<Real>(*from) : 0;
  for (int i = 0; i < basis.expressionCount; ++i) latents[basis.expressionStart + i] = static_cast<Real>(*from++);
}

}  // namespace sfm
