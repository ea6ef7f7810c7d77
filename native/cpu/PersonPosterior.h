// What a photo says of the person, from what it says of the latents that it shows.
#pragma once

#include "cpu/CpuKernels.h"

namespace sfm {

// x = sqrt(c) w + sqrt(1 - c) d, w ~ N(0, I) the person's whitened latents, d ~ N(0, I) the photo's own deviation, which is
// integrated out (docs/fitting.md). With B = sqrt(1 - c) the information S becomes S - S B (I + B S B)^-1 B S, scaled by
// sqrt(c) on both sides.
//
// The shift is then scaled so that the estimate (I + S)^-1 h has the length that the prior expects of it, tr (I + S)^-1 S
// squared: on the sphere the length of an identity says nothing about whose it is, and an odd photo, whose landmarks are
// off as a whole, must not pass for an odd face (docs/paper.md has what it is worth).
//
// `share` [D]: c, the person's share of each latent's variance. `information` [D(D+1)/2], the lower triangle row by row, and
// `shift` [D] are replaced. Throws Error(NUMERICAL) where the information is not positive semidefinite.
void personPosterior(const CpuKernels& kernels, int d, const float* share, double* information, double* shift);

}  // namespace sfm
