// Levenberg-Marquardt for one face on one block (docs/fitting.md): the algorithm of cpu/FitSolver.h with linear algebra
// of the block's own. Blocks take problem after problem, so that a slow one holds no others up; nothing of a problem's
// solution depends on the block that makes it, or on what that block has done before.
#pragma once

#include "cuda/fit/Course.cuh"
#include "cuda/fit/Further.cuh"
#include "cuda/fit/Report.cuh"
#include "cuda/fit/Step.cuh"

namespace sfm::cuda {

// The expressions to start from.
template <class Block>
__device__ __noinline__ void beginExpressions() {
  const FitColumns& columns = Block::columns();
  float* x = Block::latents(0) + columns.expression;
  for (int i = Block::thread(); i < columns.expressions; i += Block::kThreads) {
    x[i] = startExpression(Block::options(), Block::model().expressionBounds + 2 * i);
    Block::box().state[i] = kFree;
  }
}

// Which landmarks are in use.
template <class Block>
__device__ __noinline__ void findLandmarks() {
  auto& memory = Block::memory();
  const FitTask& task = Block::task();
  const int thread = Block::thread(), lane = thread % 32, warp = thread / 32, landmarks = Block::plan().landmarks;
  const FitProblem problem = problemOf(task, memory.problem);
  int count = 0;
  for (int first = 0; first < landmarks; first += Block::kThreads) {
    const int i = first + thread;
    PosePoint point;
    const bool usable = i < landmarks && posePointOf(task, problem, Block::kDimensions, i, &point);
    const unsigned votes = __ballot_sync(kAllLanes, usable);
    if (lane == 0) memory.votes[warp] = __popc(votes);
    __syncthreads();
    int at = count + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < Block::Memory::kWarps; ++w) {
      at += w < warp ? memory.votes[w] : 0;
      count += memory.votes[w];
    }
    if (usable) Block::active()[at] = i;
    __syncthreads();
  }
  Block::once([&] { memory.activeCount = count; });
}

// What is seen of them; pixels count from the principal point.
template <class Block>
__device__ __noinline__ void gatherLandmarks() {
  const auto& memory = Block::memory();
  const FitTask& task = Block::task();
  const FitProblem problem = problemOf(task, memory.problem);
  const int stride = Block::plan().landmarkStride;
  for (int i = Block::thread(); i < memory.activeCount; i += Block::kThreads) {
    const int which = Block::active()[i], landmark = task.model.present[which];
    const double* point = problem.points + static_cast<long long>(landmark) * Block::kDimensions;
    for (int a = 0; a < 3; ++a)
      Block::observed()[a * stride + i] =
          a < Block::kDimensions ? point[a] - (Block::kImage ? memory.start.pose.camera.principal[a] : 0) : 0;
    const double confidence = problem.confidence ? static_cast<double>(problem.confidence[landmark]) : 1;
    Block::inverseVariance()[i] = confidence * task.precision[which] * memory.inverseVariance;
  }
  __syncthreads();
}

// As if nothing had been found yet.
template <class Block>
__device__ __noinline__ void clear() {
  auto& memory = Block::memory();
  Block::once([&] {
    memory.start = Block::task().starts[memory.problem];
    memory.states[0].pose = memory.start.pose;
    memory.states[0].norm = 0;
    memory.inverseVariance = 1 / (memory.start.noise.sigma * memory.start.noise.sigma);
    memory.current = 0;
    memory.activeCount = 0;
    FitSolution& solution = memory.solution;
    solution.status = FitStatus::kFailed;
    solution.failure = memory.start.failure;
    solution.usable = false;
    solution.iterations = 0;
    solution.initialCost = solution.finalCost = solution.rmse = solution.uncertainty = NAN;
    Course<Block>().begin();
  });
  for (int c = Block::thread(); c < 2 * Block::plan().basisStride; c += Block::kThreads) Block::latents(0)[c] = 0;
  __syncthreads();
}

// What the course asks to be solved; false where that cannot be.
template <class Block>
__device__ __forceinline__ bool solve() {
  const auto& memory = Block::memory();
  if (memory.furtherSteps > 0 || memory.unknowns == Unknowns::kPose || !memory.linearised) differentiate<Block>();
  if (memory.furtherSteps > 0) {
    renewGradient<Block>();
  } else {
    if (!eliminate<Block>()) return false;
    if (memory.action == Action::kLinearise) return true;
  }
  if (memory.unknowns == Unknowns::kIdentityLast) {
    if (memory.action == Action::kCovariance)
      findUncertainty<Block>();
    else
      reportInformation<Block>();
    return true;
  }
  if (Block::columns().expressions > 0 && !solveExpression<Block>()) return false;
  substituteBack<Block>();
  movePoseAlongStep<Block>();
  moveLatentsAlongStep<Block>();
  return true;
}

// What the state in question costs: the trial after a step, else the current one.
template <class Block>
__device__ __forceinline__ void look() {
  if (Block::memory().action != Action::kValue) {
    if (Block::model().priorPrecision) pullIdentity<Block>();
    refresh<Block>();
    evaluate<Block>();
  }
  findCost<Block>();
}

// What comes next.
template <class Block>
__device__ __noinline__ void advance(bool solved) {
  Block::once([&] { Course<Block>().advance(solved); });
}

// The next problem that nobody has taken; false where there is none.
template <class Block>
__device__ __noinline__ bool takeProblem() {
  Block::once([] { Block::memory().problem = atomicAdd(Block::task().counter, 1); });
  return Block::memory().problem < Block::task().batch.count;
}

template <class Block>
__device__ __noinline__ void reportSolved(bool solved) {
  if (Block::thread() == 0) Block::task().batch.unsolved[Block::memory().problem] = solved ? 0 : 1;
}

// Problem after problem; what is done for each is said by its course.
template <int kThreads, bool kImage>
__global__ void __launch_bounds__(kThreads, kSmallBlock * 2 / kThreads)
    solveFits(const SFM_GRID_CONSTANT FitTask task) {
  using Block = FitBlock<kThreads, kImage>;
  const auto& memory = Block::memory();
  Block::take(task);
  while (takeProblem<Block>()) {
    clear<Block>();
    if (memory.action == Action::kLook) {
      beginExpressions<Block>();
      findLandmarks<Block>();
      gatherLandmarks<Block>();
    }
    while (memory.action < Action::kReport) {
      if (memory.action >= Action::kStep && memory.action <= Action::kInformation && !solve<Block>()) {
        advance<Block>(false);
        continue;
      }
      if (memory.action <= Action::kStep) look<Block>();
      if (memory.action == Action::kWeigh) {
        reportWeights<Block>();
        dropNuisances<Block>();
      }
      advance<Block>(true);
    }
    if (memory.action == Action::kReport) {
      reportLatents<Block>();
      reportRecord<Block>();
    }
    reportSolved<Block>(memory.action == Action::kReport);
  }
}

}  // namespace sfm::cuda
