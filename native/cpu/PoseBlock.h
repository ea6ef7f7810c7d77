// The sums that the start of a fit goes through the landmarks for (core/PoseStart.h), eight landmarks at a time in loops that
// compilers turn into vectors.
#pragma once

#include "core/Lanes.h"
#include "core/Platform.h"
#include "core/PoseStart.h"

namespace sfm {
namespace {

// A thread alone, on eight landmarks.
struct VectorLane : OneLane {
  static constexpr bool kSumsPose = true;
  static constexpr int kSize = 8;
};

struct PoseBlock {
  static constexpr int kSize = VectorLane::kSize;
  double model[3][kSize], observed[2][kSize], weight[kSize];
  double rows[12][kSize], residual[2][kSize], share[kSize];

  // Landmarks beyond the last are of no weight.
  template <class Points>
  void gather(const Points& points, int first, int every, int count) {
    for (int l = 0; l < kSize; ++l) {
      const int i = first + l * every;
      const PosePoint& point = points[i < count ? i : first];
      for (int a = 0; a < 3; ++a) model[a][l] = point.model[a];
      for (int a = 0; a < 2; ++a) observed[a][l] = point.observed[a];
      weight[l] = i < count ? point.weight : 0;
    }
  }
};

struct PoseBlockSums {
  static constexpr int kSize = VectorLane::kSize;
  double h[21][kSize] = {}, g[6][kSize] = {}, cost[kSize] = {}, total[kSize] = {};

  // Leaves the block's rows and what they weigh: refinePose's formulas.
  SFM_NEVER_INLINE void look(PoseBlock& block, const ImagePose& givenPose, double scale, double inverseFocal,
                             double width) {
    const ImagePose pose = givenPose;
    SFM_INDEPENDENT
    for (int l = 0; l < kSize; ++l) {
      double x[3];
      for (int a = 0; a < 3; ++a)
        x[a] = pose.rotation[3 * a] * block.model[0][l] + pose.rotation[3 * a + 1] * block.model[1][l] +
               pose.rotation[3 * a + 2] * block.model[2][l];
      const Projection at = project(scale, inverseFocal, pose.p, pose.q, x);
      const double r[2] = {at.u - block.observed[0][l], at.v - block.observed[1][l]};
      const double q = (r[0] * r[0] + r[1] * r[1]) / (width * width);
      // Behind the camera the cost is infinite.
      cost[l] += (at.depth > kMinimumDepth ? block.weight[l] : HUGE_VAL) * q / (4 + q);
      total[l] += block.weight[l];
      block.share[l] = block.weight[l] / (4 + q);
      double jx[6], jc[8];
      projectionJacobian(scale, inverseFocal, at, jx);
      cameraJacobian(scale, inverseFocal, x, at, jc);
      for (int a = 0; a < 2; ++a) {
        double omega[3];
        cross(x, jx + 3 * a, omega);
        for (int c = 0; c < 3; ++c) {
          block.rows[6 * a + c][l] = omega[c];
          block.rows[6 * a + 3 + c][l] = jc[4 * a + c];
        }
        block.residual[a][l] = r[a];
      }
    }
  }

  void add(const PoseBlock& block) {
    for (int a = 0; a < 2; ++a) {
      const double (*row)[kSize] = block.rows + 6 * a;
      for (int c = 0, at = 0; c < 6; ++c) {
        double weighted[kSize];
        for (int l = 0; l < kSize; ++l) weighted[l] = block.share[l] * row[c][l];
        for (int l = 0; l < kSize; ++l) g[c][l] -= weighted[l] * block.residual[a][l];
        for (int d = 0; d <= c; ++d, ++at)
          for (int l = 0; l < kSize; ++l) h[at][l] += weighted[l] * row[d][l];
      }
    }
  }

  static double sum(const double* values) {
    double sum = 0;
    for (int l = 0; l < kSize; ++l) sum += values[l];
    return sum;
  }
};

template <class Points>
PoseSystem sumPose(const VectorLane&, const Points& points, int count, const ImagePose& pose, double scale,
                   double inverseFocal, double width) {
  const int every = startStep(count);
  PoseBlockSums blocks;
  for (int first = 0; first < count; first += PoseBlock::kSize * every) {
    PoseBlock block;
    block.gather(points, first, every, count);
    blocks.look(block, pose, scale, inverseFocal, width);
    blocks.add(block);
  }
  PoseSystem sums = {};
  sums.cost = PoseBlockSums::sum(blocks.cost);
  sums.total = PoseBlockSums::sum(blocks.total);
  for (int c = 0, at = 0; c < 6; ++c) {
    sums.g[c] = PoseBlockSums::sum(blocks.g[c]);
    for (int d = 0; d <= c; ++d, ++at) sums.h[6 * c + d] = PoseBlockSums::sum(blocks.h[at]);
  }
  return sums;
}

}  // namespace
}  // namespace sfm
