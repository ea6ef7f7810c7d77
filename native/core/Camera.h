// One camera for perspective and weak perspective, in coordinates that the fit can walk straight in.
//
// With X = R S (mm, camera axes), translation t and focal length f, u = f (X_x + t_x) / (X_z + t_z) + c. Put s = f /
// t_z, p = f t_x / t_z, q = f t_y / t_z and the inverse focal length eta = 1 / f:
//     u = (s X_x + p) / (1 + s eta X_z) + c_x        v = (s X_y + q) / (1 + s eta X_z) + c_y
// which is weak perspective at eta = 0. Depth and focal length trade off along log f alone (s, p, q hold the image in
// place), where (t, f) would have to follow a curved valley.
#pragma once

#include <math.h>

#include "core/Platform.h"

namespace sfm {

struct Camera {
  double p = 0;  // image position of the model's origin, pixels from the principal point
  double q = 0;
  double logScale = 0;  // log of pixels per mm at the depth of the origin
  double logFocal = 0;  // log of pixels; unused when weak
  double principal[2] = {0, 0};
  bool weak = false;
};

// A point's image and its derivatives; `depth` is the denominator 1 + s eta X_z, which is positive in front of the
// camera.
struct Projection {
  double u, v, depth;
};

// Nearer than this to the camera's plane (as a fraction of the distance of the model's origin) nothing is projected.
constexpr double kMinimumDepth = 0.05;

SFM_HD Projection project(double scale, double inverseFocal, double p, double q, const double* x) {
  const double depth = 1 + scale * inverseFocal * x[2];
  const double inverse = 1 / depth;
  return {(scale * x[0] + p) * inverse, (scale * x[1] + q) * inverse, depth};
}

// du/dX [2,3] at a projected point.
SFM_HD void projectionJacobian(double scale, double inverseFocal, const Projection& at, double* jacobian) {
  const double a = scale / at.depth;
  const double b = a * inverseFocal;
  jacobian[0] = a;
  jacobian[1] = 0;
  jacobian[2] = -b * at.u;
  jacobian[3] = 0;
  jacobian[4] = a;
  jacobian[5] = -b * at.v;
}

// Columns of d(u,v)/d(p, q, log s, log f) [2,4].
SFM_HD void cameraJacobian(double scale, double inverseFocal, const double* x, const Projection& at, double* jacobian) {
  const double inverse = 1 / at.depth;
  const double h = scale * inverseFocal * x[2] * inverse;  // (depth - 1) / depth
  jacobian[0] = inverse;
  jacobian[1] = 0;
  jacobian[2] = scale * x[0] * inverse - at.u * h;
  jacobian[3] = at.u * h;
  jacobian[4] = 0;
  jacobian[5] = inverse;
  jacobian[6] = scale * x[1] * inverse - at.v * h;
  jacobian[7] = at.v * h;
}

}  // namespace sfm
