// What a fit's landmarks say of the identity, in the form in which it is compared and fused (docs/fitting.md).
#pragma once

#include "core/FaceModel.h"

namespace sfm {

inline size_t packedTriangle(int n) { return static_cast<size_t>(n) * (n + 1) / 2; }

// From a solver's reduced normal matrix of v and its v to the data's part of it in whitened coordinates x, v = L x:
//     information  S = L^T H L - p I,  p the weight of the prior in the fit
//     shift        h = (p I + S) x
// Matrices [D(D+1)/2] are lower triangles, row by row; in place.
void whitenPosterior(const FaceModel& model, double identityPrior, double* information, double* shift);

}  // namespace sfm
