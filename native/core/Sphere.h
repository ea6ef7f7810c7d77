// The identity sphere: |z| = r in R^K, and the chart of normal coordinates at the pole e_K in which the fit works.
// Derivation in docs/sphere.md. Vectors are plain arrays; `d` = K - 1 is the dimension of the tangent space.
#pragma once

#include <math.h>

#include "core/Platform.h"

namespace sfm {

// The functions of theta = |v| / r that the chart is made of, smooth at theta = 0.
//   exp_mu(v) = (sinc(theta) v, r cos(theta))
//   d exp     = [ sinc I + kappa v v^T / r^2 ; -sinc v^T / r ],   kappa = (cos(theta) - sinc(theta)) / theta^2
struct ChartScalars {
  double sinc;
  double cosine;
  double kappa;
};

SFM_HD ChartScalars chartScalars(double theta) {
  const double t2 = theta * theta;
  if (t2 < 1e-4) {
    // Taylor series; the first neglected terms are below 1e-16 here.
    return {1 - t2 / 6 + t2 * t2 / 120 - t2 * t2 * t2 / 5040, 1 - t2 / 2 + t2 * t2 / 24 - t2 * t2 * t2 / 720,
            -1.0 / 3 + t2 / 30 - t2 * t2 / 840 + t2 * t2 * t2 / 45360};
  }
  const double sinc = sin(theta) / theta;
  const double cosine = cos(theta);
  return {sinc, cosine, (cosine - sinc) / t2};
}

template <class T>
SFM_HD double squaredNorm(const T* v, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(v[i]) * static_cast<double>(v[i]);
  return sum;
}

template <class T>
SFM_HD double dot(const T* a, const T* b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// Retraction at any point z of the sphere of radius r: the exponential map along the tangent vector `step` (step . z =
// 0).
SFM_HD void sphereExp(const double* z, const double* step, double r, int k, double* out) {
  const double norm = sqrt(squaredNorm(step, k));
  const ChartScalars s = chartScalars(norm / r);
  for (int i = 0; i < k; ++i) out[i] = s.cosine * z[i] + s.sinc * step[i];
}

// The tangent vector at `from` whose exponential is `to`; at antipodes, where it is not unique, zero.
SFM_HD void sphereLog(const double* from, const double* to, double r, int k, double* out) {
  double c = dot(from, to, k) / (r * r);
  c = c > 1 ? 1 : (c < -1 ? -1 : c);
  double s2 = 0;
  for (int i = 0; i < k; ++i) {
    out[i] = to[i] - c * from[i];
    s2 += out[i] * out[i];
  }
  const double s = sqrt(s2) / r;
  // atan2 keeps full precision where acos(c) would lose half the digits, near c = 1.
  const double scale = s > 0 ? atan2(s, c) / s : (c > 0 ? 1 : 0);
  for (int i = 0; i < k; ++i) out[i] *= scale;
}

// Carries the tangent vector `vector` at z along the geodesic that leaves z with velocity `step`, to exp_z(step). May
// work in place.
SFM_HD void sphereTransport(const double* z, const double* step, double r, int k, const double* vector, double* out) {
  const double norm2 = squaredNorm(step, k);
  if (norm2 == 0) {
    for (int i = 0; i < k; ++i) out[i] = vector[i];
    return;
  }
  const double norm = sqrt(norm2);
  const double theta = norm / r;
  const double along = dot(step, vector, k) / norm;
  const double c = cos(theta) - 1;
  const double s = sin(theta);
  for (int i = 0; i < k; ++i) out[i] = vector[i] + along * (c * step[i] / norm - s * z[i] / r);
}

}  // namespace sfm
