// Some landmarks' rows of the normal equations at a time: the formulas of core/LandmarkRows.h in a loop that compilers turn
// into vectors, number for number what they give one by one.
#pragma once

#include "core/FitPose.h"
#include "core/LandmarkRows.h"

namespace sfm {
namespace {

struct LandmarkBlock {
  static constexpr int kSize = 8;

  // What is known of landmark `l` of the block: see differentiateLandmark.
  void set(int l, const double* turned, const double* residual, double squared, double inverseVariance) {
    for (int c = 0; c < 3; ++c) {
      turned_[c * kSize + l] = turned[c];
      residual_[c * kSize + l] = residual[c];
    }
    squared_[l] = squared;
    inverseVariance_[l] = inverseVariance;
  }

  // All of them; those that were not set hold whatever they held.
  void differentiate(bool image, const Objective& objective, double nu, const FitPose& pose, const Sight& sight) {
    const bool robust = objective.loss == RobustLoss::kStudentT;
    if (image)
      robust ? differentiate<true, true>(objective.blur, nu, pose, sight)
             : differentiate<true, false>(objective.blur, nu, pose, sight);
    else
      robust ? differentiate<false, true>(objective.blur, nu, pose, sight)
             : differentiate<false, false>(objective.blur, nu, pose, sight);
  }

  // Row `a` of landmark `l`.
  LandmarkRow row(int l, int a) const {
    const double* from = rows_ + a * kNumbers * kSize + l;
    LandmarkRow row;
    for (int c = 0; c < 3; ++c) row.shape[c] = from[c * kSize];
    for (int c = 0; c < kPoseCapacity; ++c) row.pose[c] = from[(3 + c) * kSize];
    row.residual = from[(3 + kPoseCapacity) * kSize];
    return row;
  }

 private:
  static constexpr int kNumbers = 3 + kPoseCapacity + 1;  // in a row

  template <bool kImage, bool kRobust>
  SFM_NEVER_INLINE void differentiate(double blur, double nu, const FitPose& givenPose, const Sight& givenSight) {
    const Objective objective{kRobust ? RobustLoss::kStudentT : RobustLoss::kSquared, blur};
    const FitPose pose = givenPose;
    const Sight sight = givenSight;
    const double *SFM_RESTRICT x = turned_, *SFM_RESTRICT r = residual_, *SFM_RESTRICT squared = squared_,
                               *SFM_RESTRICT inverseVariance = inverseVariance_;
    double* SFM_RESTRICT rows = rows_;
    SFM_INDEPENDENT
    for (int l = 0; l < kSize; ++l) {
      const double turned[3] = {x[l], x[kSize + l], x[2 * kSize + l]};
      const double residual[3] = {r[l], r[kSize + l], r[2 * kSize + l]};
      LandmarkDerivative derivative;
      differentiateLandmark(kImage, objective, nu, pose, sight, turned, residual, squared[l], inverseVariance[l],
                            &derivative);
      for (int a = 0; a < (kImage ? 2 : 3); ++a) {
        const LandmarkRow row = landmarkRow(kImage, derivative, a, pose.rotation, turned, residual[a]);
        double* to = rows + a * kNumbers * kSize + l;
        for (int c = 0; c < 3; ++c) to[c * kSize] = row.shape[c];
        for (int c = 0; c < kPoseCapacity; ++c) to[(3 + c) * kSize] = row.pose[c];
        to[(3 + kPoseCapacity) * kSize] = row.residual;
      }
    }
  }

  alignas(64) double turned_[3 * kSize] = {}, residual_[3 * kSize] = {}, squared_[kSize] = {},
                                 inverseVariance_[kSize] = {};
  alignas(64) double rows_[3 * kNumbers * kSize];
};

}  // namespace
}  // namespace sfm
