// A further step by the factors of the step before, with a gradient of its own: see core/Descent.h.
#pragma once

#include "cuda/fit/Normal.cuh"

namespace sfm::cuda {

// The objective's slope by each landmark's point, [3, landmarkStride]; zero where a landmark is not in use.
template <class Block>
__device__ __noinline__ void fillSlopes() {
  const int stride = Block::plan().landmarkStride;
  for (int i = Block::thread(); i < 3 * stride; i += Block::kThreads) Block::slopes()[i] = 0;
  __syncthreads();
  for (int i = Block::thread(); i < Block::memory().activeCount; i += Block::kThreads) {
    const float* table = Block::rowTable() + i * Block::kDimensions * kRowTable;
    float slope[3] = {0, 0, 0};
    for (int a = 0; a < Block::kDimensions; ++a, table += kRowTable)
      for (int c = 0; c < 3; ++c) slope[c] += table[kRowTable - 1] * table[c];
    for (int c = 0; c < 3; ++c) Block::slopes()[c * stride + Block::active()[i]] = slope[c];
  }
}

// The sum over the rows of the Jacobian of one of the numbers that they are made of times the residual; for all lanes of a
// warp alike.
template <class Block>
__device__ __forceinline__ float sumOverRows(int which) {
  const int rows = Block::kDimensions * Block::memory().activeCount;
  float sum = 0;
  for (int row = Block::thread() % 32; row < rows; row += 32) {
    const float* table = Block::rowTable() + row * kRowTable;
    sum += table[which] * table[kRowTable - 1];
  }
  return sumOverWarp(sum);
}

// g of all unknowns at the current state, of its row table and its prior. A warp to an unknown.
template <class Block>
__device__ __noinline__ void findGradient() {
  const auto& memory = Block::memory();
  const FitTask& task = Block::task();
  const FitColumns& columns = Block::columns();
  const int lane = Block::thread() % 32, warp = Block::thread() / 32;
  const int stride = Block::plan().landmarkStride, landmarks = Block::plan().landmarks;
  const float* x = Block::latents(memory.current);
  const float sinc = static_cast<float>(memory.states[memory.current].chart.sinc);
  const float radial = sumOverRows<Block>(3);
  for (int c = warp; c < columns.count; c += Block::kThreads / 32) {
    const int pose = c - columns.pose;
    float sum = 0;
    if (pose >= 0 && pose < kPoseCapacity) {
      sum = sumOverRows<Block>(4 + pose);
    } else {
      for (int axis = 0; axis < 3; ++axis) {
        const float* __restrict__ basis = task.columnBasis + (3 * c + axis) * stride;
        const float* slopes = Block::slopes() + axis * stride;
#pragma unroll 4
        for (int i = lane; i < landmarks; i += 32) sum += basis[i] * slopes[i];
      }
      sum = sumOverWarp(sum);
      if (c < columns.identities) sum = sinc * sum + radial * x[c];
    }
    if (lane == 0) Block::gradient()[c] += sum;
  }
}

// y = U^-T g, the factor's last column, and what remains of g: the right-hand side of the expressions' system. By one warp,
// a column at a time.
template <class Block>
__device__ __noinline__ void substituteForward() {
  constexpr int kGroups = Block::kColumnGroups;
  const FitSystem system = Block::system();
  const int thread = Block::thread(), tiles = tilesOf(system.count), residual = residualColumn(system.count);
  if (thread < 32) {
    const float* inversePivots = Block::inversePivots();
    float value[kGroups];  // of y, times its pivot
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int k = 32 * group + thread;
      value[group] = k < system.count ? Block::gradient()[k] : 0;
    }
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int most = system.eliminated - 1 - 32 * group;
#pragma unroll 4
      for (int lane = 0; lane <= (most < 31 ? most : 31); ++lane) {
        const int j = 32 * group + lane;
        const float* row = factorRow<Block>(tiles, j);
        const float inverse = inversePivots[j], solved = __shfl_sync(kAllLanes, value[group], lane);
#pragma unroll
        for (int behind = group; behind < kGroups; ++behind) {
          const int k = 32 * behind + thread;
          if (k > j && k < system.count) value[behind] -= row[slot(k)] * inverse * solved;
        }
      }
    }
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int k = 32 * group + thread;
      if (k < system.eliminated)
        factorRow<Block>(tiles, k)[slot(residual)] = inversePivots[k] * value[group];
      else if (k < system.count)
        Block::box().right[k - system.eliminated] = -value[group];
    }
  }
  __syncthreads();
}

// What a further step goes by in place of a new elimination, once it is known what the rows of the Jacobian are made of.
template <class Block>
__device__ __forceinline__ void renewGradient() {
  fillSlopes<Block>();
  __syncthreads();
  findGradient<Block>();
  __syncthreads();
  substituteForward<Block>();
}

}  // namespace sfm::cuda
