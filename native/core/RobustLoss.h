// The robust loss of a landmark with normalised squared residual q = |u - l|^2 / sigma^2 and d components.
#pragma once

#include <math.h>

#include "core/Platform.h"

namespace sfm {

enum class RobustLoss { kSquared, kStudentT };

// Student-t with nu degrees of freedom (mathematics of the model, docs/fitting.md): rho = (nu + d)/2 log(1 + q/nu); rho
// ~ q/2 (nu + d)/nu for small q.
SFM_HD double robustCost(RobustLoss loss, double nu, int d, double q) {
  return loss == RobustLoss::kSquared ? 0.5 * q : 0.5 * (nu + d) * log1p(q / nu);
}

// 2 rho'(q): the weight of the landmark in the normal equations.
SFM_HD double robustWeight(RobustLoss loss, double nu, int d, double q) {
  return loss == RobustLoss::kSquared ? 1.0 : (nu + d) / (nu + q);
}

}  // namespace sfm
