// One landmark in the normal equations of a fit: its residual and the weighted rows of its derivatives.
#pragma once

#include <math.h>

#include "core/Camera.h"
#include "core/FitPose.h"
#include "core/RobustLoss.h"
#include "core/Rotation.h"
#include "core/Sphere.h"

namespace sfm {

constexpr double kLeastBend = 0.3;  // see differentiateLandmark

// What is being minimised: the loss, and the factor on every sigma.
struct Objective {
  RobustLoss loss = RobustLoss::kSquared;
  double blur = 1;
};

// The landmark at `shape` (model space) as a pose shows it: `turned` = R shape, `residual` = predicted - observed. False
// behind the camera.
SFM_HD bool seeLandmark(bool image, const FitPose& pose, const Sight& sight, const double* shape,
                        const double* observed, double* turned, double* residual) {
  double* x = turned;
  for (int a = 0; a < 3; ++a)
    x[a] = pose.rotation[3 * a] * shape[0] + pose.rotation[3 * a + 1] * shape[1] + pose.rotation[3 * a + 2] * shape[2];
  double* r = residual;
  if (image) {
    const Projection at = project(sight.scale, sight.inverseFocal, pose.camera.p, pose.camera.q, x);
    r[0] = at.u - observed[0];
    r[1] = at.v - observed[1];
    r[2] = 0;
    return at.depth > kMinimumDepth;
  }
  for (int a = 0; a < 3; ++a) r[a] = x[a] + pose.translation[a] - observed[a];
  return true;
}

// The square root of a landmark's weight over its sigma; `squared` is its normalised squared residual without blur.
SFM_HD double weightRoot(const Objective& objective, double nu, int dimensions, double squared,
                         double inverseVariance) {
  return sqrt(robustWeight(objective.loss, nu, dimensions, squared / (objective.blur * objective.blur)) *
              inverseVariance) /
         objective.blur;
}

// How a point x in camera axes is seen: derivatives by x, jx [d,3], and for an image by the camera, jc [2,4].
SFM_HD void differentiateSight(bool image, const FitPose& pose, const Sight& sight, const double* x, double* jx,
                               double* jc) {
  if (!image) {
    for (int c = 0; c < 9; ++c) jx[c] = c % 4 == 0 ? 1 : 0;
    return;
  }
  const Projection here = project(sight.scale, sight.inverseFocal, pose.camera.p, pose.camera.q, x);
  projectionJacobian(sight.scale, sight.inverseFocal, here, jx);
  cameraJacobian(sight.scale, sight.inverseFocal, x, here, jc);
}

// J <- (I - alpha r r^T) J for the d rows of J.
SFM_HD void projectOut(double alpha, const double* r, int dimensions, double* jacobian, int columns) {
  for (int c = 0; c < columns; ++c) {
    double product = 0;
    for (int a = 0; a < dimensions; ++a) product += r[a] * jacobian[a * columns + c];
    for (int a = 0; a < dimensions; ++a) jacobian[a * columns + c] -= alpha * product * r[a];
  }
}

// How a landmark's residuals enter the normal equations: their weight, and their derivatives, bent along the residual.
struct LandmarkDerivative {
  double weight;
  double along;  // what the bend leaves of the residual's own direction
  double jx[9];  // [d,3] by the point in camera axes
  double jc[8];  // [2,4] by the camera; images only
};

SFM_HD void differentiateLandmark(bool image, const Objective& objective, double nu, const FitPose& pose,
                                  const Sight& sight, const double* turned, const double* residual, double squared,
                                  double inverseVariance, LandmarkDerivative* to) {
  const int dimensions = image ? 2 : 3;
  to->weight = weightRoot(objective, nu, dimensions, squared, inverseVariance);
  differentiateSight(image, pose, sight, turned, to->jx, to->jc);
  to->along = 1;
  if (objective.loss != RobustLoss::kStudentT) return;
  // The loss bends along the residual: w (nu - q) / (nu + q) there instead of w. Taking that into the Gauss-Newton
  // matrix turns reweighting's slow linear convergence into nearly Newton's (Triggs et al. 2000, section 4.3); kept
  // positive for outliers.
  const double q = squared / (objective.blur * objective.blur);
  const double bend = (nu - q) / (nu + q);
  to->along = sqrt(bend > kLeastBend ? bend : kLeastBend);
  const double* r = residual;
  const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
  const double alpha = r2 > 0 ? (1 - to->along) / r2 : 0;
  projectOut(alpha, r, dimensions, to->jx, 3);
  if (image) projectOut(alpha, r, dimensions, to->jc, 4);
}

// One of the landmark's rows, weighted.
struct LandmarkRow {
  double shape[3];              // by its point in model space
  double pose[kPoseCapacity];   // by the rotation, then p, q, log s, log f, or the translation
  double residual;
};

// Row a of the derivative, its residual being `residual`.
SFM_HD LandmarkRow landmarkRow(bool image, const LandmarkDerivative& of, int a, const double* rotation,
                               const double* turned, double residual) {
  LandmarkRow row;
  const double* jxa = of.jx + 3 * a;
  const double* jca = of.jc + 4 * a;
  const double* r = rotation;
  const double weight = of.weight;
  for (int c = 0; c < 3; ++c) row.shape[c] = weight * (jxa[0] * r[c] + jxa[1] * r[3 + c] + jxa[2] * r[6 + c]);
  double rotational[3];
  cross(turned, jxa, rotational);
  for (int c = 0; c < 3; ++c) row.pose[c] = weight * rotational[c];
  for (int c = 3; c < kPoseCapacity; ++c) row.pose[c] = image ? weight * jca[c - 3] : (c < 6 ? weight * jxa[c - 3] : 0);
  row.residual = weight / of.along * residual;
  return row;
}

// The radial part of the identity's columns: J_v = sinc J_u + (kappa (J_u v) / r^2 - sinc j_t / r) v^T, this being the
// factor of v / r. `row`: the derivative by the landmark's point; `identityPart`: its B v; `slack`: its r a_t.
template <class Real>
SFM_HD double radialDerivative(const double* row, const ChartScalars& s, const Real* identityPart, const float* slack,
                               double inverseRadius) {
  double radial = 0;
  for (int c = 0; c < 3; ++c)
    radial += row[c] * (s.kappa * static_cast<double>(identityPart[c]) * inverseRadius -
                        s.sinc * static_cast<double>(slack[c]) * inverseRadius);
  return radial;
}

}  // namespace sfm
