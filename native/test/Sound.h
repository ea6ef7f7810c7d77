// What every fit owes its caller, whatever it was given.
#pragma once

#include <cmath>

#include "test/Check.h"
#include "test/Scene.h"

namespace sfm::test {

// A fit that claims to be usable has finite numbers everywhere, a rotation, expressions within their bounds and a
// latent on the sphere; one that failed says why.
inline void checkSound(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options,
                       const Fitted& fitted, bool scan) {
  const bool failed = fitted.status == FitStatus::kFailed;
  CHECK_EQUAL(failed, fitted.failure != FitFailure::kNone);
  CHECK(fitted.iterations >= 0 && fitted.iterations <= options.maxIterations);
  if (failed) CHECK(!fitted.usable);
  if (!fitted.usable) return;
  bool finite = std::isfinite(fitted.initialCost) && std::isfinite(fitted.finalCost) && std::isfinite(fitted.rmse) &&
                std::isfinite(fitted.uncertainty) && std::isfinite(fitted.focal) && std::isfinite(fitted.scale);
  for (double value : fitted.rotation) finite &= std::isfinite(value);
  for (double value : fitted.translation) finite &= std::isfinite(value);
  for (double value : fitted.principal) finite &= std::isfinite(value);
  for (const auto* values : {&fitted.identities, &fitted.embeddings, &fitted.expressions})
    for (float value : *values) finite &= std::isfinite(value);
  for (const auto* values : {&fitted.informations, &fitted.shifts, &fitted.linear.identity, &fitted.linear.nuisances,
                             &fitted.linear.expression, &fitted.linear.weights, &fitted.linear.derivatives,
                             &fitted.linear.pose, &fitted.linear.residuals, &fitted.linear.bareResiduals})
    for (double value : *values) finite &= std::isfinite(value);
  CHECK(finite);
  CHECK(fitted.uncertainty >= 0 && fitted.rmse >= 0 && fitted.scale > 0);
  int used = 0;
  for (int i = 0; i < basis.landmarkCount; ++i) {
    CHECK_EQUAL(std::isnan(fitted.residuals[i]), std::isnan(fitted.robustWeights[i]));
    if (std::isnan(fitted.residuals[i])) continue;
    ++used;
    CHECK(fitted.residuals[i] >= 0 && std::isfinite(fitted.residuals[i]));
    CHECK(fitted.robustWeights[i] >= 0 && fitted.robustWeights[i] <= 1);
  }
  CHECK(used >= (scan ? kMinimumScanLandmarks : kMinimumImageLandmarks));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      double product = 0;
      for (int c = 0; c < 3; ++c) product += fitted.rotation[3 * i + c] * fitted.rotation[3 * j + c];
      CHECK_NEAR(product, i == j ? 1 : 0, 1e-9);
    }
  if (model.spherical()) {
    double norm = 0;
    for (float value : fitted.identities) norm += static_cast<double>(value) * value;
    CHECK_NEAR(norm, 1, 1e-5);
  }
  for (int e = 0; e < model.expressionCount() && options.boundExpression; ++e)
    CHECK(fitted.expression[e] >= model.expressionBounds()[2 * e] &&
          fitted.expression[e] <= model.expressionBounds()[2 * e + 1]);
}

}  // namespace sfm::test
