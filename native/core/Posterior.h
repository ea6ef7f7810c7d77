// What a fit's landmarks say of the identity, in the form in which it is compared and fused (docs/fitting.md).
#pragma once

#include "core/FaceModel.h"

namespace sfm {

inline size_t packedTriangle(int n) { return static_cast<size_t>(n) * (n + 1) / 2; }

// A symmetric matrix by its upper triangle, row by row, in one precision or the other. Null: there is none.
struct UpperTriangle {
  const float* single = nullptr;
  const double* twice = nullptr;
  explicit operator bool() const { return single || twice; }
};

// Its lower triangle, row by row: [n(n+1)/2].
inline void packLower(int n, const UpperTriangle& matrix, double* lower) {
  size_t at = 0;
  for (int i = 0; i < n; ++i)
    for (int j = i; j < n; ++j, ++at)
      lower[packedTriangle(j) + i] = matrix.twice ? matrix.twice[at] : static_cast<double>(matrix.single[at]);
}

// From a solver's reduced normal matrix of v and its v to the data's part of it in whitened coordinates x, v = L x:
//     information  S = L^T H L - p I,  p the weight of the prior in the fit
//     shift        h = (p I + S) x
// Matrices [D(D+1)/2] are lower triangles, row by row; in place.
void whitenPosterior(const FaceModel& model, double identityPrior, double* information, double* shift);

}  // namespace sfm
