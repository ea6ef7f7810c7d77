// A step of the descent on a block: the damped system solved within the expressions' bounds, and the state it leads to.
#pragma once

#include "cuda/fit/Box.cuh"
#include "cuda/fit/Normal.cuh"
#include "cuda/fit/Objective.cuh"

namespace sfm::cuda {

// The expressions' part of the step, from their system: S and, as its last row, minus the right-hand side. Of a further
// step, S as the one before has left it.
template <class Block>
__device__ __noinline__ bool solveExpression() {
  auto& memory = Block::memory();
  const int eliminated = Block::system().eliminated;
  const int n = Block::columns().expressions, i = Block::thread();
  const BoxArrays box = Block::box();
  if (i < n) {
    const float x = Block::latents(memory.current)[Block::columns().expression + i];
    const float* bounds = Block::model().expressionBounds + 2 * i;
    const bool bounded = Block::options().boundExpression;
    box.lower[i] = bounded ? bounds[0] - x : -HUGE_VALF;
    box.upper[i] = bounded ? bounds[1] - x : HUGE_VALF;
  }
  __syncthreads();
  const bool again = memory.furtherSteps > 0;
  const bool solved = solveBox<Block::kThreads>(Block::triangle(), n, again, box, &memory.last);
  if (i < n) {
    if (solved)
      Block::step()[eliminated + i] = box.solution[i];
    else
      box.state[i] = kFree;
  }
  __syncthreads();
  return solved;
}

// The eliminated columns' part of the step: U s = -(y + U_e s_e), y = U^-T g being the factor's last column. By one
// warp, a column at a time, with the rows' sums in registers, over their pivots: a column waits for a shuffle and an
// addition alone.
template <class Block>
__device__ __noinline__ void substituteBack() {
  constexpr int kGroups = Block::kColumnGroups;
  const FitSystem system = Block::system();
  const int eliminated = system.eliminated, n = system.count - eliminated, thread = Block::thread();
  const int tiles = tilesOf(system.count), residual = residualColumn(system.count);
  float* step = Block::step();
  for (int k = thread; k < eliminated; k += Block::kThreads) {
    const float* row = factorRow<Block>(tiles, k);
    float sum = row[slot(residual)];
    // From different columns on, which are in different banks.
    for (int c = 0, at = n > 0 ? k % n : 0; c < n; ++c) {
      sum += row[slot(eliminated + at)] * step[eliminated + at];
      at = at + 1 < n ? at + 1 : 0;
    }
    step[k] = -sum;
  }
  __syncthreads();
  if (thread < 32) {
    const float* inversePivots = Block::inversePivots();
    const float* row[kGroups];
    float value[kGroups], inverse[kGroups];
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int k = 32 * group + thread;
      row[group] = factorRow<Block>(tiles, k < eliminated ? k : 0);
      inverse[group] = k < eliminated ? inversePivots[k] : 0;
      value[group] = k < eliminated ? step[k] * inverse[group] : 0;
    }
#pragma unroll
    for (int group = kGroups - 1; group >= 0; --group) {
      if (32 * group >= eliminated) continue;
      const int most = eliminated - 1 - 32 * group;
#pragma unroll 4
      for (int lane = most < 31 ? most : 31; lane >= 0; --lane) {
        const int j = 32 * group + lane;
        const float solved = __shfl_sync(kAllLanes, value[group], lane);
#pragma unroll
        for (int above = 0; above <= group; ++above)
          if (32 * above + thread < j) value[above] -= row[above][slot(j)] * inverse[above] * solved;
      }
    }
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int k = 32 * group + thread;
      if (k < eliminated) step[k] = value[group];
    }
  }
  __syncthreads();
}

// How far along the step from the current state it is to be trusted, and the pose of the trial there, which the other
// state becomes. What the undamped quadratic model promises of it follows from the damped system, s^T (H + lambda D) s =
// |U s|^2 + the expressions' part.
template <class Block>
__device__ __noinline__ void movePoseAlongStep() {
  auto& memory = Block::memory();
  const FitColumns& columns = Block::columns();
  const FitSystem system = Block::system();
  const float* step = Block::step();
  const int tiles = tilesOf(system.count), residual = residualColumn(system.count);
  double sums[5] = {0, 0, 0, 0, 0};  // |s_v|^2, g s, s D s, |y|^2, the expressions' part
#pragma unroll 1
  for (int i = Block::thread(); i < system.count; i += Block::kThreads) {
    const double s = static_cast<double>(step[i]);
    if (i < system.identities) sums[0] += s * s;
    sums[1] += s * static_cast<double>(Block::gradient()[i]);
    sums[2] += s * s * static_cast<double>(Block::diagonal()[i]);
    if (i < system.eliminated) {
      const double y = static_cast<double>(factorRow<Block>(tiles, i)[slot(residual)]);
      sums[3] += y * y;
    } else {
      sums[4] += static_cast<double>(Block::box().product[i - system.eliminated]);
    }
  }
  Block::sumOnce(sums, [&](const double* sum) {
    const PoseFreedom& freedom = memory.start.freedom;
    double pose[kPoseCapacity];
    for (int c = 0; c < kPoseCapacity; ++c) pose[c] = static_cast<double>(step[system.column(columns.pose) + c]);
    const double fraction = trustedFraction(freedom, sqrt(sum[0]) * Block::model().inverseRadius, pose);
    const double quadratic = sum[3] + sum[4] - memory.factoredDamping * sum[2];
    memory.predicted = -fraction * sum[1] - 0.5 * fraction * fraction * quadratic;
    memory.fraction = fraction;
    movePose(freedom, memory.states[memory.current].pose, fraction, pose, &memory.states[1 - memory.current].pose);
  });
}

// The rest of the trial.
template <class Block>
__device__ __noinline__ void moveLatentsAlongStep() {
  const auto& memory = Block::memory();
  const FitColumns& columns = Block::columns();
  const FitSystem system = Block::system();
  const float* step = Block::step();
  const float fraction = static_cast<float>(memory.fraction);
  const float* from = Block::latents(memory.current);
  float* to = Block::latents(1 - memory.current);
  const bool bounded = Block::options().boundExpression;
  for (int c = Block::thread(); c < columns.count; c += Block::kThreads) {
    if (c >= columns.pose && c < columns.expression) continue;
    const int column = system.column(c);
    float value = from[c] + (column >= 0 ? fraction * step[column] : 0);
    if (c >= columns.expression && bounded) {
      const float* bounds = Block::model().expressionBounds + 2 * (c - columns.expression);
      value = value < bounds[0] ? bounds[0] : (value > bounds[1] ? bounds[1] : value);
    }
    to[c] = value;
  }
  __syncthreads();
}

// The landmarks' and the prior's part in the normal equations of the current state.
template <class Block>
__device__ __forceinline__ void differentiate() {
  differentiateLandmarks<Block>();
  fillPrior<Block>();
  __syncthreads();
  fillRowTable<Block>();
  __syncthreads();
}

}  // namespace sfm::cuda
