// min 1/2 d^T S d - b^T d over lower <= d <= upper, S symmetric positive definite: the expressions' part of a step,
// after everything else has been eliminated. Block principal pivoting (core/Pivoting.h): guess which bounds hold, solve
// for the free variables, move those that contradict the guess.
#pragma once

#include "core/Fit.h"
#include "core/Pivoting.h"

namespace sfm {
namespace {

// s: full symmetric [n][ld]; d: in: ignored, out: the minimiser; `state` is the first guess and the final active set.
// `work`: n * ld + 2 n numbers, `index`: n integers. `factored`: whether `work` still holds the factor of the free block
// of this s for this state, as a successful solution leaves it. False where a free block is not positive definite or no
// active set is found in time; d is then feasible all the same.
template <class Kernels>
bool solveBox(const typename Kernels::Real* s, int n, int ld, const typename Kernels::Real* b,
              const typename Kernels::Real* lower, const typename Kernels::Real* upper, signed char* state,
              typename Kernels::Real* d, typename Kernels::Real* work, int* index, bool* factored) {
  using Real = typename Kernels::Real;
  Real* block = work;
  Real* rhs = work + static_cast<long>(n + 16) * ld;
  Pivoting pivoting{n + 1};
  bool solved = true;
  for (int round = 0; round < mostRounds(n); ++round) {
    int free = 0;
    bool shifted = false;  // whether a bound lies elsewhere than where the step begins
    for (int i = 0; i < n; ++i) {
      d[i] = state[i] == kFree ? 0 : state[i] == kAtLower ? lower[i] : upper[i];
      shifted |= d[i] != 0;
      if (state[i] == kFree) index[free++] = i;
    }
    for (int a = 0; a < free; ++a) {
      rhs[a] = b[index[a]];
      if (shifted) rhs[a] -= Kernels::dotProduct(s + static_cast<long>(index[a]) * ld, d, n);
    }
    for (int a = free; a < (free + 15) / 16 * 16; ++a) rhs[a] = 0;
    if (!*factored) {
      for (int a = 0; a < free; ++a) {
        const Real* row = s + static_cast<long>(index[a]) * ld;
        for (int c = a; c < free; ++c) block[static_cast<long>(a) * ld + c] = row[index[c]];
      }
      if (!Kernels::factor(block, free, free, ld)) {
        solved = false;
        break;
      }
    }
    *factored = false;
    Kernels::forward(block, free, free, ld, rhs);
    Kernels::backward(block, free, free, ld, rhs);
    for (int a = 0; a < free; ++a) d[index[a]] = rhs[a];

    // A free variable contradicts by leaving its bounds, a bound one by a gradient that points inside.
    int contradictions = 0, last = -1;
    for (int i = 0; i < n; ++i) {
      bool wrong;
      if (state[i] == kFree) {
        wrong = d[i] < lower[i] || d[i] > upper[i];
      } else {
        const Real slope = Kernels::dotProduct(s + static_cast<long>(i) * ld, d, n) - b[i];
        const Real tolerance = static_cast<Real>(1e-6) * (b[i] < 0 ? -b[i] : b[i]);
        wrong = lower[i] < upper[i] && (state[i] == kAtLower ? slope < -tolerance : slope > tolerance);
      }
      index[i] = wrong;
      if (wrong) {
        ++contradictions;
        last = i;
      }
    }
    if (contradictions == 0) return *factored = true;
    const bool all = movesAll(contradictions, &pivoting);
    for (int i = 0; i < n; ++i) {
      if (!index[i] || (!all && i != last)) continue;
      state[i] = state[i] != kFree ? kFree : (d[i] < lower[i] ? kAtLower : kAtUpper);
    }
    solved = round + 1 < mostRounds(n);
  }
  for (int i = 0; i < n; ++i) d[i] = d[i] < lower[i] ? lower[i] : (d[i] > upper[i] ? upper[i] : d[i]);
  return solved;
}

}  // namespace
}  // namespace sfm
