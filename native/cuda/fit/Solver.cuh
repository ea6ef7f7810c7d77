// Levenberg-Marquardt for one face on one block (docs/fitting.md): the algorithm of cpu/FitSolver.h with linear algebra
// of the block's own. Blocks take problem after problem, so that a slow one holds no others up; nothing of a problem's
// solution depends on the block that makes it, or on what that block has done before.
#pragma once

#include "cuda/fit/Report.cuh"
#include "cuda/fit/Step.cuh"

namespace sfm::cuda {

// The landmarks in use and the state to start from.
template <class Block>
__device__ void begin() {
  auto& memory = Block::memory();
  const FitTask& task = Block::task();
  const FitColumns& columns = Block::columns();
  const int thread = Block::thread(), lane = thread % 32, warp = thread / 32;
  float* x = Block::latents(0);
  for (int i = thread; i < columns.expressions; i += Block::kThreads) {
    x[columns.expression + i] = startExpression(Block::options(), Block::model().expressionBounds + 2 * i);
    Block::box().state[i] = kFree;
  }
  const FitProblem problem = problemOf(task, memory.problem);
  const double sigma = memory.start.noise.sigma;
  const int stride = Block::plan().landmarkStride, landmarks = Block::plan().landmarks;
  int count = 0;
  for (int first = 0; first < landmarks; first += Block::kThreads) {
    const int i = first + thread;
    PosePoint point;
    const bool usable = i < landmarks && posePointOf(task, problem, i, &point);
    const unsigned votes = __ballot_sync(kAllLanes, usable);
    if (lane == 0) memory.votes[warp] = __popc(votes);
    __syncthreads();
    int at = count + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < Block::Memory::kWarps; ++w) {
      at += w < warp ? memory.votes[w] : 0;
      count += memory.votes[w];
    }
    if (usable) {
      Block::active()[at] = i;
      for (int a = 0; a < 3; ++a)
        Block::observed()[a * stride + at] =
            point.observed[a] - (Block::kImage && a < 2 ? memory.start.pose.camera.principal[a] : 0);
      Block::inverseVariance()[at] = point.weight / (sigma * sigma);
    }
    __syncthreads();
  }
  Block::once([&] { memory.activeCount = count; });
}

// What comes next: with which objective, and whether there is anything to gain.
template <class Block>
__device__ __noinline__ void decide() {
  auto& memory = Block::memory();
  Block::once([&] {
    const FitOptions& options = Block::options();
    Descent& descent = memory.descent;
    if (descent.iteration >= options.maxIterations)
      memory.next = Next::kStop;
    else if (sharpenObjective(options.loss, &descent))
      memory.next = Next::kEvaluate;
    else
      memory.next = descent.settled ? Next::kStop : Next::kStep;
    if (memory.next != Next::kStop) memory.linearised = 0;
  });
}

// Whether the trial is accepted, and whether that ends the iteration.
template <class Block>
__device__ __noinline__ void judge() {
  auto& memory = Block::memory();
  Block::once([&] {
    Descent& descent = memory.descent;
    const bool accepted =
        judgeStep(Block::options().costTolerance, memory.predicted, memory.valid ? memory.cost : HUGE_VAL, &descent);
    if (accepted) memory.current = 1 - memory.current;
    memory.next = accepted || descent.settled ? Next::kStop : Next::kStep;
    if (memory.next == Next::kStop) ++descent.iteration;
  });
}

// After a system that was not positive definite.
template <class Block>
__device__ __noinline__ void damp() {
  auto& memory = Block::memory();
  Block::once([&] { memory.next = dampHarder(&memory.descent) ? Next::kStep : Next::kStop; });
}

// From the current linearisation to a state that is better, or until there is nothing more to gain. False where the
// system cannot be solved.
template <class Block>
__device__ bool descend() {
  do {
    if (solveStep<Block>(Unknowns::kAll)) {
      tryStep<Block>(Unknowns::kAll);
      judge<Block>();
    } else {
      damp<Block>();
      if (Block::memory().next == Next::kStop) return false;
    }
  } while (Block::memory().next == Next::kStep);
  return true;
}

// Before the first step: by the objective as it was asked for, and as the descent begins with it.
template <class Block>
__device__ __noinline__ void beginDescentFrom(double initialCost) {
  auto& memory = Block::memory();
  Block::once([&] {
    memory.solution.initialCost = initialCost;
    memory.descent = beginDescent(memory.start.noise.blur);
  });
}

// After the last one.
template <class Block>
__device__ __noinline__ void endDescent() {
  auto& memory = Block::memory();
  Block::once([&] {
    const RobustLoss loss = Block::options().loss;
    const bool reached = reachedObjective(loss, memory.descent);
    memory.solution.iterations = memory.descent.iteration;
    memory.solution.status = reached && memory.descent.settled ? FitStatus::kConverged : FitStatus::kMaxIterations;
    memory.solution.uncertainty = NAN;
    memory.next = reached ? Next::kStop : Next::kEvaluate;
    memory.descent.objective = {loss, 1};
    memory.linearised = reached;
  });
}

// False where single precision does not do.
template <class Block>
__device__ bool minimise() {
  refresh<Block>(0);
  evaluate<Block>(0);
  if (!Block::memory().valid) {
    Block::once([&] { Block::memory().solution.failure = FitFailure::kBehindCamera; });
    return true;
  }
  findCost<Block>(0, Block::options().loss, 1);
  beginDescentFrom<Block>(Block::memory().cost);
  revalue<Block>();
  for (;;) {
    decide<Block>();
    if (Block::memory().next == Next::kStop) break;
    if (Block::memory().next == Next::kEvaluate) revalue<Block>();
    if (!descend<Block>()) return false;
  }
  endDescent<Block>();
  if (Block::memory().next == Next::kEvaluate) {
    // The iterations ran out on the way to the objective: what is reported is about the objective all the same.
    revalue<Block>();
    solveStep<Block>(Unknowns::kAll);
  }
  if (eliminate<Block>(Unknowns::kIdentityLast, 0)) findUncertainty<Block>();
  Block::once([] { Block::memory().solution.finalCost = Block::memory().descent.value; });
  return isfinite(Block::memory().descent.value) && isfinite(Block::memory().solution.uncertainty);
}

// As if nothing had been found yet.
template <class Block>
__device__ __noinline__ void clear() {
  auto& memory = Block::memory();
  Block::once([&] {
    memory.start = Block::task().starts[memory.problem];
    memory.states[0].pose = memory.start.pose;
    memory.states[0].norm = 0;
    memory.current = 0;
    memory.activeCount = 0;
    FitSolution& solution = memory.solution;
    solution.status = FitStatus::kFailed;
    solution.failure = memory.start.failure;
    solution.usable = false;
    solution.iterations = 0;
    solution.initialCost = solution.finalCost = solution.rmse = solution.uncertainty = NAN;
  });
  for (int c = Block::thread(); c < 2 * Block::plan().basisStride; c += Block::kThreads) Block::latents(0)[c] = 0;
  __syncthreads();
}

// False where the problem is to be solved elsewhere.
template <class Block>
__device__ bool fit() {
  clear<Block>();
  if (Block::memory().start.failure == FitFailure::kNone) {
    if (Block::memory().start.noise.blur > kSinglePrecisionBlur) return false;
    begin<Block>();
    if (!minimise<Block>()) return false;
  }
  report<Block>();
  return true;
}

template <int kThreads, bool kImage>
__global__ void __launch_bounds__(kThreads, kSmallBlock * 2 / kThreads)
    solveFits(const SFM_GRID_CONSTANT FitTask task) {
  using Block = FitBlock<kThreads, kImage>;
  Block::take(task);
  for (;;) {
    Block::once([] { Block::memory().problem = atomicAdd(Block::task().counter, 1); });
    if (Block::memory().problem >= Block::task().batch.count) return;
    const bool solved = fit<Block>();
    Block::once([&] { Block::task().batch.unsolved[Block::memory().problem] = solved ? 0 : 1; });
  }
}

}  // namespace sfm::cuda
