// What a fit's kernels are given, and what one leaves for the next.
#pragma once

#include "core/Batch.h"
#include "core/FitPose.h"
#include "core/FitStart.h"
#include "cuda/Device.cuh"
#include "cuda/FitPlan.h"

#if defined(__CUDACC__)
#define SFM_GRID_CONSTANT __grid_constant__
#else
#define SFM_GRID_CONSTANT
#endif

namespace sfm::cuda {

struct FitTask {
  DeviceFitModel model;
  DeviceFitBatch batch;
  FitPlan plan;
  bool image;
  int dimensions;
  // In the workspace, see Arrange.cuh.
  float* rowBasis;     // [present, 3, basisStride]
  float* columnBasis;  // [columns, 3, landmarkStride]
  float* mean;         // [3, landmarkStride]
  float* slack;        // likewise
  double* precision;   // [landmarkStride] of a landmark beside a good one
  int* counter;        // the next problem that nobody has taken
  StartRecord* starts;  // [B]
  unsigned char* slabs;  // [blocks][plan.slab]
};

// Problem i of a batch, see FitBatch::problem.
__device__ inline FitProblem problemOf(const FitTask& task, int i) {
  const long long at = i, landmarks = task.model.landmarkCount;
  const double* camera = task.batch.cameras + at * FitBatch::kCameraSize;
  FitProblem problem;
  problem.points = task.batch.points + at * landmarks * task.dimensions;
  problem.confidence = task.batch.confidence ? task.batch.confidence + at * landmarks : nullptr;
  problem.focal = camera[0];
  problem.principal[0] = camera[1];
  problem.principal[1] = camera[2];
  problem.imageSize = camera[3];
  problem.noise = camera[4];
  return problem;
}

// Landmark `i` of those that the model has, as a problem shows it; false where it is missing.
__device__ inline bool posePointOf(const FitTask& task, const FitProblem& problem, int dimensions, int i,
                                   PosePoint* point) {
  const int landmark = task.model.present[i];
  const long long at = 3LL * landmark;
  return posePoint(problem, dimensions, landmark, task.model.mean + at, task.model.slack + at,
                   static_cast<double>(task.model.noiseFactors[landmark]), point);
}

}  // namespace sfm::cuda
