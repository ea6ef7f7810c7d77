#include <cmath>

#include "core/Fit.h"

namespace sfm {

bool FitOptions::isValid(std::string* why) const {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  const char* problem = nullptr;
  if (maxIterations < 1 || maxIterations > 1000) problem = "maxIterations: expected 1 to 1000";
  if (!positive(degreesOfFreedom)) problem = "degreesOfFreedom: expected a positive number";
  if (!positive(identityPrior)) problem = "identityPrior: expected a positive number";
  if (!positive(expressionPrior)) problem = "expressionPrior: expected a positive number";
  if (!positive(noise)) problem = "noise: expected a positive number";
  if (!positive(focalStddev)) problem = "focalStddev: expected a positive number";
  if (!positive(costTolerance) || costTolerance >= 1) problem = "costTolerance: expected a number between 0 and 1";
  if (problem && why) *why = problem;
  return problem == nullptr;
}

}  // namespace sfm
