// Where fits start: a warp to a problem.
#pragma once

#include "cuda/fit/Task.cuh"

namespace sfm::cuda {

constexpr int kStartThreads = 128;

// A warp's lanes, as core/Lanes.h wants them.
class WarpLanes {
 public:
  static constexpr bool kSumsPose = false;
  __host__ __device__ explicit WarpLanes(int lane) : lane_(lane) {}
  __host__ __device__ int first() const { return lane_; }
  __host__ __device__ static int stride() { return 32; }
  template <class T>
  __host__ __device__ void sum(T* values, int count) const {
    reduce(values, count, [](T a, T b) { return a + b; });
  }
  __host__ __device__ void largest(double* values, int count) const {
    reduce(values, count, [](double a, double b) { return a > b ? a : b; });
  }

 private:
  // The code that calls this is for hosts as well, where it never runs.
  template <class T, class Combine>
  __host__ __device__ void reduce(T* values, int count, Combine combine) const {
#if defined(__CUDA_ARCH__) || defined(SFM_CUDA_SHIM)
    for (int i = 0; i < count; ++i)
      for (int bits = 16; bits > 0; bits /= 2)
        values[i] = combine(values[i], __shfl_xor_sync(kAllLanes, values[i], bits));
#else
    (void)values, (void)count, (void)combine;
#endif
  }

  int lane_;
};

// The landmarks that the model has: of weight 0 where a problem lacks them. Pixels count from the principal point.
struct MeanFacePoints {
  const FitTask& task;
  const FitProblem& problem;
  double principal[2];

  __host__ __device__ PosePoint operator[](int i) const {
    PosePoint point = {};
#if defined(__CUDA_ARCH__) || defined(SFM_CUDA_SHIM)
    if (!posePointOf(task, problem, task.dimensions, i, &point)) return {};
    for (int a = 0; a < 2; ++a) point.observed[a] -= principal[a];
#else
    (void)i;
#endif
    return point;
  }
};

__device__ inline FitFailure startFit(const FitTask& task, const FitProblem& problem, const WarpLanes& lanes,
                                      StartRecord* start) {
  const FitOptions& options = task.batch.options;
  const int landmarks = task.plan.landmarks;
  setRestPose(task.image, &start->pose);
  start->freedom = {task.image, false, 0};
  start->noise = {1, 1};
  MeanFacePoints points{task, problem, {0, 0}};
  int count = 0;
  ObservedExtent extent;
  for (int i = lanes.first(); i < landmarks; i += lanes.stride()) {
    PosePoint point;
    if (!posePointOf(task, problem, task.dimensions, i, &point)) continue;
    include(point, &extent);
    ++count;
  }
  lanes.sum(&count, 1);
  for (double& low : extent.low) low = -low;
  lanes.largest(extent.low, 3);
  lanes.largest(extent.high, 3);
  for (double& low : extent.low) low = -low;
  FitFailure failure = checkLandmarks(task.image, count, extent);
  if (failure != FitFailure::kNone) return failure;
  PoseMoments moments = poseMoments(lanes, points, landmarks, task.dimensions);
  failure = checkMoments(moments);
  if (failure != FitFailure::kNone) return failure;
  if (task.image) {
    Camera& camera = start->pose.camera;
    failure = startCamera(problem, options.weakPerspective, extent, &camera, &start->freedom);
    if (failure != FitFailure::kNone) return failure;
    for (int a = 0; a < 2; ++a) {
      points.principal[a] = camera.principal[a];
      moments.observed[a] -= camera.principal[a];
    }
    failure = startImage(lanes, points, landmarks, moments, &start->pose);
    if (failure != FitFailure::kNone) return failure;
  } else {
    startScan(moments, &start->pose);
  }
  start->noise = startNoise(options, problem.noise, task.image, start->pose);
  return FitFailure::kNone;
}

__global__ void __launch_bounds__(kStartThreads) startFits(const SFM_GRID_CONSTANT FitTask task) {
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), i = thread / 32;
  if (i >= task.batch.count) return;
  const FitProblem problem = problemOf(task, i);
  StartRecord start;
  start.failure = startFit(task, problem, WarpLanes(thread % 32), &start);
  if (thread % 32 == 0) task.starts[i] = start;
}

}  // namespace sfm::cuda
