// min 1/2 d^T S d - b^T d over lower <= d <= upper on a block: cpu/BoxQuadratic.h by sweeps. The first guess of the free
// variables is swept in; every later one costs the sweeps of those that moved.
#pragma once

#include "core/Fit.h"
#include "core/Pivoting.h"
#include "cuda/fit/Triangle.cuh"

namespace sfm::cuda {

// Arrays of a number for each variable, in shared memory; `room`: two for each and for the right-hand side.
struct BoxArrays {
  float* lower;
  float* upper;
  float* right;  // b
  float* solution;  // d
  float* product;  // out: d_i (S d)_i
  float* held;  // where a bounded variable rests; 0 for a free one
  int* state;  // the first guess and the final active set, BoundState
  int* swept;
  float* room;

  __device__ BoxArrays(float* memory, int n)
      : lower(memory),
        upper(lower + n),
        right(upper + n),
        solution(right + n),
        product(solution + n),
        held(product + n),
        state(reinterpret_cast<int*>(held + n)),
        swept(state + n),
        room(held + 3 * n) {}
};

// The last row of a system that has been swept for another b: see Triangle.cuh. Uniform; with a barrier after.
template <int kThreads>
__device__ __forceinline__ void renewRight(float* system, int n, const BoxArrays& box) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) {
    float sum = 0;
    for (int j = 0; j < n; ++j) sum += box.swept[j] ? system[packed(i, j)] * box.right[j] : 0;
    system[packed(n, i)] = (box.swept[i] ? 0 : box.right[i]) - sum;
  }
  if (i == 0) system[packed(n, n)] = 0;
  __syncthreads();
}

// `system`: S and, as its last row, b; or `again`: S as a solution before has left it, and b in box.right. `last`: room for
// an integer. False where a free block is not positive definite or
// no active set is found in time. Uniform; with barriers before and after.
template <int kThreads>
__device__ bool solveBox(float* system, int n, bool again, const BoxArrays& box, int* last) {
  const int i = static_cast<int>(threadIdx.x);
  const bool mine = i < n;
  if (again) {
    renewRight<kThreads>(system, n, box);
  } else if (mine) {
    box.swept[i] = 0;
    box.right[i] = system[packed(n, i)];
  }
  __syncthreads();
  Pivoting pivoting{n + 1};
  for (int round = 0; round < mostRounds(n); ++round) {
    if (!sweep<kThreads, kExpressionNumbers>({system, n + 1, n, box.state, box.swept, box.room})) return false;
    __syncthreads();
    const int state = mine ? box.state[i] : static_cast<int>(kFree);
    if (mine) {
      box.swept[i] = state == kFree;
      box.held[i] = state == kFree ? 0 : (state == kAtLower ? box.lower[i] : box.upper[i]);
      if (i == 0) *last = -1;
    }
    __syncthreads();
    // A free variable contradicts by leaving its bounds, a bound one by a gradient that points inside, beyond the
    // rounding of its terms.
    float slope = 0;
    bool wrong = false;
    if (mine) {
      const float constant = system[packed(n, i)];
      float sum = -constant, size = fabsf(constant);
      for (int j = 0; j < n; ++j) {
        const float term = box.swept[j] ? 0 : system[packed(i, j)] * box.held[j];
        sum += term;
        size += fabsf(term);
      }
      if (state == kFree) {
        box.solution[i] = -sum;
        wrong = -sum < box.lower[i] || -sum > box.upper[i];
      } else {
        slope = sum;
        box.solution[i] = box.held[i];
        const float tolerance = 1e-6f * (size + fabsf(box.right[i]));
        wrong = box.lower[i] < box.upper[i] && (state == kAtLower ? slope < -tolerance : slope > tolerance);
      }
    }
    const int contradictions = __syncthreads_count(wrong);
    if (contradictions == 0) {
      if (mine) box.product[i] = box.solution[i] * (box.right[i] + slope);
      __syncthreads();
      return true;
    }
    const bool all = movesAll(contradictions, &pivoting);
    if (!all && wrong) atomicMax(last, i);
    __syncthreads();
    if (wrong && (all || i == *last))
      box.state[i] = state != kFree ? kFree : (box.solution[i] < box.lower[i] ? kAtLower : kAtUpper);
    __syncthreads();
  }
  return false;
}

}  // namespace sfm::cuda
