#include "cuda/FitKernel.h"

#include <algorithm>

#include "cuda/Launch.cuh"
#include "cuda/fit/Arrange.cuh"
#include "cuda/fit/Solver.cuh"
#include "cuda/fit/Start.cuh"

namespace sfm::cuda {

namespace {

struct DeviceLimits {
  int multiprocessors;
  size_t sharedBytes;  // of a block
};

DeviceLimits limitsOf(int device) {
  int multiprocessors = 0, sharedBytes = 0;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), "asking for a device's size");
  check(cudaDeviceGetAttribute(&sharedBytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
        "asking for a device's shared memory");
  return {multiprocessors, static_cast<size_t>(sharedBytes)};
}

// Of a block: what a fit knows, and its arrays.
size_t sharedBytes(const FitPlan& plan) {
  const int known = plan.threads == kSmallBlock ? FitBlock<kSmallBlock, true>::kMemoryFloats
                                                : FitBlock<kLargeBlock, true>::kMemoryFloats;
  return (static_cast<size_t>(known) + static_cast<size_t>(plan.sharedFloats)) * sizeof(float);
}

constexpr size_t kReserved = 1024;  // of shared memory, by the system for each block

// Whether a multiprocessor has room for two blocks.
bool takesTwo(const FitPlan& plan, const DeviceLimits& limits) {
  return plan.threads == kSmallBlock && 2 * (sharedBytes(plan) + kReserved) <= limits.sharedBytes + kReserved;
}

// As many as can be at work at once, each with the next problem that nobody has taken.
int blocksFor(const FitPlan& plan, int count, const DeviceLimits& limits) {
  return std::min(count, limits.multiprocessors * (takesTwo(plan, limits) ? 2 : 1));
}

FitPlan planFor(const DeviceFitModel& model, const FitOptions& options, int count, const DeviceLimits& limits) {
  return planFit(model, options, count, blocksFor(planFit(model, options, count, 0), count, limits));
}

template <int kThreads, bool kImage>
void launchSolver(const FitTask& task, const DeviceLimits& limits, cudaStream_t stream) {
  // As much as there is, so that what one model needs takes nothing from a graph that was made for another.
  allowShared(solveFits<kThreads, kImage>, limits.sharedBytes);
  const int blocks = blocksFor(task.plan, task.batch.count, limits);
  // Two blocks find room for themselves on the devices' own choice as well, but nothing says that they will.
  if (takesTwo(task.plan, limits))
    preferShared(solveFits<kThreads, kImage>,
                 static_cast<int>(200 * (sharedBytes(task.plan) + kReserved) / (limits.sharedBytes + kReserved)) + 1);
  launch("solveFits", solveFits<kThreads, kImage>,
         {static_cast<unsigned>(blocks), static_cast<unsigned>(kThreads), sharedBytes(task.plan)}, stream, task);
}

}  // namespace

bool supportsFit(const DeviceFitModel& model, const FitOptions& options, ObservationSpace, int device) {
  const FitPlan plan = planFit(model, options, 1, 1);
  return tilesFit(plan.columns.count, plan.threads) && model.presentCount <= kLargestScheme &&
         sharedBytes(plan) <= limitsOf(device).sharedBytes;
}

size_t fitWorkspaceBytes(const DeviceFitModel& model, const FitOptions& options, int count, int device) {
  return planFor(model, options, count, limitsOf(device)).workspaceBytes;
}

void launchFit(const DeviceFitModel& model, const DeviceFitBatch& batch, void* workspace, cudaStream_t stream) {
  if (batch.count == 0) return;
  int device = 0;
  check(cudaGetDevice(&device), "asking for the device");
  const DeviceLimits limits = limitsOf(device);
  FitTask task;
  task.model = model;
  task.batch = batch;
  task.plan = planFor(model, batch.options, batch.count, limits);
  task.image = batch.space == ObservationSpace::kImage;
  task.dimensions = task.image ? 2 : 3;
  const auto at = [workspace](size_t offset) { return static_cast<unsigned char*>(workspace) + offset; };
  task.rowBasis = reinterpret_cast<float*>(at(task.plan.rowBasis));
  task.columnBasis = reinterpret_cast<float*>(at(task.plan.columnBasis));
  task.mean = reinterpret_cast<float*>(at(task.plan.mean));
  task.slack = reinterpret_cast<float*>(at(task.plan.slack));
  task.precision = reinterpret_cast<double*>(at(task.plan.precision));
  task.counter = reinterpret_cast<int*>(at(task.plan.counter));
  task.starts = reinterpret_cast<StartRecord*>(at(task.plan.starts));
  task.slabs = at(task.plan.slabs);

  launch("arrangeFitBasis", arrangeFitBasis, {static_cast<unsigned>(limits.multiprocessors), 256u}, stream, task);
  constexpr int kWarps = kStartThreads / 32;
  launch("startFits", startFits, {static_cast<unsigned>((batch.count + kWarps - 1) / kWarps), kStartThreads}, stream,
         task);
  const auto solver = task.plan.threads == kSmallBlock
                          ? (task.image ? launchSolver<kSmallBlock, true> : launchSolver<kSmallBlock, false>)
                          : (task.image ? launchSolver<kLargeBlock, true> : launchSolver<kLargeBlock, false>);
  solver(task, limits, stream);
}

}  // namespace sfm::cuda
