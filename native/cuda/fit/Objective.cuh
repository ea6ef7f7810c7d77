// The objective of a fit on a block: what a state predicts, and what it costs.
#pragma once

#include "cuda/fit/Block.cuh"

namespace sfm::cuda {

// C^-1 v of that state, where the prior is a general one. A warp to a row.
template <class Block>
__device__ __noinline__ void pullIdentity() {
  const int which = Block::looked(), d = Block::columns().identities, lane = Block::thread() % 32;
  const float* v = Block::latents(which);
  for (int c = Block::thread() / 32; c < d; c += Block::kThreads / 32) {
    const double* row = Block::model().priorPrecision + static_cast<long long>(c) * d;
    double sum = 0;
    for (int j = lane; j < d; j += 32) sum += row[j] * static_cast<double>(v[j]);
    sum = sumOverWarp(sum);
    if (lane == 0) Block::pull(which)[c] = sum;
  }
  __syncthreads();
}

// What of the state in question follows from its latents, their pull known, and its pose; keeps the identity in its chart.
template <class Block>
__device__ __noinline__ void refresh() {
  auto& memory = Block::memory();
  const int which = Block::looked();
  const FitColumns& columns = Block::columns();
  const DeviceFitModel& model = Block::model();
  float* x = Block::latents(which);
  double* pull = Block::pull(which);
  double sums[3] = {0, 0, 0};  // |v|^2, v^T C^-1 v, half the other squares
#pragma unroll 1
  for (int c = Block::thread(); c < columns.count; c += Block::kThreads) {
    const double value = static_cast<double>(x[c]);
    if (c < columns.identities) {
      sums[0] += value * value;
      sums[1] += value * (model.priorPrecision ? pull[c] : value);
    } else if (c < columns.pose) {
      sums[2] += 0.5 * value * value;
    } else if (c >= columns.expression) {
      const int e = c - columns.expression;
      const double z =
          (value - static_cast<double>(model.expressionMean[e])) / static_cast<double>(model.expressionStddev[e]);
      sums[2] += 0.5 * Block::options().expressionPrior * z * z;
    }
  }
  Block::sumOnce(sums, [&](const double* sum) {
    DeviceState& state = memory.states[which];
    const double norm = sqrt(sum[0]);
    const double shrink = model.inverseRadius > 0 && norm > model.largestTangent ? model.largestTangent / norm : 1;
    memory.shrink = static_cast<float>(shrink);
    state.norm = shrink * norm;
    state.chart = chartScalars(state.norm * model.inverseRadius);
    state.sight = sightOf(state.pose);
    state.prior = 0.5 * Block::options().identityPrior * shrink * shrink * sum[1] + sum[2];
    const PoseFreedom& freedom = memory.start.freedom;
    if (freedom.estimateFocal) {
      const double z = (state.pose.camera.logFocal - freedom.focalPrior) / Block::options().focalStddev;
      state.prior += 0.5 * z * z;
    }
  });
  if (memory.shrink != 1) {
    for (int c = Block::thread(); c < columns.identities; c += Block::kThreads) {
      x[c] *= memory.shrink;
      if (model.priorPrecision) pull[c] *= static_cast<double>(memory.shrink);
    }
    __syncthreads();
  }
}

// Part of a landmark's row of the basis times the latents.
__device__ inline float basisProduct(const float* __restrict__ column, int step, const float* x, int first, int last) {
  constexpr int kAtOnce = 32;  // on their way together, and the last ones as well
  float sum = 0;
#pragma unroll 1
  for (int c = first; c < last; c += kAtOnce) {
    float from[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) from[k] = c + k < last ? column[(c + k) * step] : 0;
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) sum += from[k] * (c + k < last ? x[c + k] : 0);
  }
  return sum;
}

// Predictions and residuals of that state, once refreshed; `valid` where no landmark falls behind the camera.
template <class Block>
__device__ __noinline__ void evaluate() {
  const int which = Block::looked();
  const FitTask& task = Block::task();
  const FitColumns& columns = Block::columns();
  const DeviceEvaluation to = Block::evaluation(which);
  const DeviceState& state = Block::memory().states[which];
  const float* x = Block::latents(which);
  const int count = Block::memory().activeCount, stride = Block::plan().landmarkStride;
  // Of every landmark and axis, the point in model space takes the place of what it turns to.
#pragma unroll 1
  for (int row = Block::thread(); row < 3 * count; row += Block::kThreads) {
    const int axis = row / count, i = row - axis * count, from = axis * stride + Block::active()[i];
    const float* column = task.columnBasis + from;
    const float identity = basisProduct(column, 3 * stride, x, 0, columns.identities);
    // The pose's columns are zero.
    const float linear = basisProduct(column, 3 * stride, x, columns.identities, columns.count);
    to.identityPart[axis * stride + i] = identity;
    to.turned[axis * stride + i] = static_cast<double>(task.mean[from]) +
                                   state.chart.cosine * static_cast<double>(task.slack[from]) +
                                   state.chart.sinc * static_cast<double>(identity) + static_cast<double>(linear);
  }
  __syncthreads();
  bool valid = true;
#pragma unroll 1
  for (int i = Block::thread(); i < count; i += Block::kThreads) {
    double shape[3], seen[3], turned[3], r[3];
    Block::gather(to.turned, i, shape);
    Block::gather(Block::observed(), i, seen);
    valid &= seeLandmark(Block::kImage, state.pose, state.sight, shape, seen, turned, r);
    for (int a = 0; a < 3; ++a) {
      to.turned[a * stride + i] = turned[a];
      to.residual[a * stride + i] = r[a];
    }
    to.squared[i] = (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) * Block::inverseVariance()[i];
  }
  const int all = __syncthreads_and(valid);
  Block::once([&] { Block::memory().valid = all; });
}

// Leaves the cost of that state, once evaluated, by the descent's objective, in memory().cost.
template <class Block>
__device__ __noinline__ void findCost() {
  const int which = Block::looked();
  const RobustLoss loss = Block::memory().descent.objective.loss;
  const double blur = Block::memory().descent.objective.blur;
  const double* squared = Block::evaluation(which).squared;
  const double sharpness = 1 / (blur * blur), nu = Block::options().degreesOfFreedom;
  double sums[1] = {0};
  for (int i = Block::thread(); i < Block::memory().activeCount; i += Block::kThreads)
    sums[0] += robustCost(loss, nu, Block::kDimensions, sharpness * squared[i]);
  Block::sumOnce(sums, [&](const double* sum) { Block::memory().cost = sum[0] + Block::memory().states[which].prior; });
}

}  // namespace sfm::cuda
