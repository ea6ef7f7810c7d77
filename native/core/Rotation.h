// Rotations as row-major 3x3 matrices in double precision: the few that a fit needs are cheap beside its basis
// products.
#pragma once

#include <math.h>

#include "core/Platform.h"

namespace sfm {

SFM_HD void multiply3x3(const double* a, const double* b, double* out) {
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
}

SFM_HD double determinant3x3(const double* m) {
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}

SFM_HD void cross(const double* a, const double* b, double* out) {
  out[0] = a[1] * b[2] - a[2] * b[1];
  out[1] = a[2] * b[0] - a[0] * b[2];
  out[2] = a[0] * b[1] - a[1] * b[0];
}

// Rodrigues' formula; the left perturbation of the fit: R <- exp(omega) R.
SFM_HD void rotationExp(const double* omega, double* out) {
  const double x = omega[0], y = omega[1], z = omega[2];
  const double t2 = x * x + y * y + z * z;
  double a, b;  // sin(t)/t and (1 - cos(t))/t^2
  if (t2 < 1e-8) {
    a = 1 - t2 / 6;
    b = 0.5 - t2 / 24;
  } else {
    const double t = sqrt(t2);
    a = sin(t) / t;
    b = (1 - cos(t)) / t2;
  }
  out[0] = 1 - b * (y * y + z * z);
  out[1] = b * x * y - a * z;
  out[2] = b * x * z + a * y;
  out[3] = b * x * y + a * z;
  out[4] = 1 - b * (x * x + z * z);
  out[5] = b * y * z - a * x;
  out[6] = b * x * z - a * y;
  out[7] = b * y * z + a * x;
  out[8] = 1 - b * (x * x + y * y);
}

// Gram-Schmidt on the rows: removes the rounding that a chain of products collects.
SFM_HD void orthonormalise(double* r) {
  double n = sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
  for (int i = 0; i < 3; ++i) r[i] /= n;
  const double d = r[0] * r[3] + r[1] * r[4] + r[2] * r[5];
  for (int i = 0; i < 3; ++i) r[3 + i] -= d * r[i];
  n = sqrt(r[3] * r[3] + r[4] * r[4] + r[5] * r[5]);
  for (int i = 0; i < 3; ++i) r[3 + i] /= n;
  cross(r, r + 3, r + 6);
}

// Eigenvalues (descending) and eigenvectors (columns of `vectors`) of a symmetric 3x3 matrix by cyclic Jacobi
// rotations.
SFM_HD void symmetricEigen3x3(const double* matrix, double* values, double* vectors) {
  double a[9];
  for (int i = 0; i < 9; ++i) {
    a[i] = matrix[i];
    vectors[i] = (i % 4 == 0) ? 1 : 0;
  }
  for (int sweep = 0; sweep < 12; ++sweep) {
    const double off = a[1] * a[1] + a[2] * a[2] + a[5] * a[5];
    const double diagonal = a[0] * a[0] + a[4] * a[4] + a[8] * a[8];
    if (off <= 1e-30 * diagonal) break;
    for (int p = 0; p < 2; ++p) {
      for (int q = p + 1; q < 3; ++q) {
        if (a[3 * p + q] == 0) continue;
        const double theta = (a[4 * q] - a[4 * p]) / (2 * a[3 * p + q]);
        const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
        const double c = 1 / sqrt(t * t + 1), s = t * c;
        for (int k = 0; k < 3; ++k) {
          const double akp = a[3 * k + p], akq = a[3 * k + q];
          a[3 * k + p] = c * akp - s * akq;
          a[3 * k + q] = s * akp + c * akq;
        }
        for (int k = 0; k < 3; ++k) {
          const double apk = a[3 * p + k], aqk = a[3 * q + k];
          a[3 * p + k] = c * apk - s * aqk;
          a[3 * q + k] = s * apk + c * aqk;
        }
        for (int k = 0; k < 3; ++k) {
          const double vkp = vectors[3 * k + p], vkq = vectors[3 * k + q];
          vectors[3 * k + p] = c * vkp - s * vkq;
          vectors[3 * k + q] = s * vkp + c * vkq;
        }
      }
    }
  }
  for (int i = 0; i < 3; ++i) values[i] = a[4 * i];
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2 - i; ++j) {
      if (values[j] >= values[j + 1]) continue;
      const double value = values[j];
      values[j] = values[j + 1];
      values[j + 1] = value;
      for (int k = 0; k < 3; ++k) {
        const double entry = vectors[3 * k + j];
        vectors[3 * k + j] = vectors[3 * k + j + 1];
        vectors[3 * k + j + 1] = entry;
      }
    }
  }
}

// The rotation nearest to M in the Frobenius norm, argmax trace(R^T M) over SO(3) (Kabsch 1976), from the eigenvectors
// of M^T M. M of rank 2 or 3 has one answer (rank 2: the sign of the third axis follows from det R = 1); of rank below
// 2 any frame is returned.
SFM_HD void nearestRotation(const double* m, double* out) {
  double mtm[9];
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) mtm[3 * i + j] = m[i] * m[j] + m[3 + i] * m[3 + j] + m[6 + i] * m[6 + j];
  double values[3], v[9];
  symmetricEigen3x3(mtm, values, v);
  double u[9];  // rows: left singular vectors
  for (int k = 0; k < 2; ++k) {
    for (int i = 0; i < 3; ++i) u[3 * k + i] = m[3 * i] * v[k] + m[3 * i + 1] * v[3 + k] + m[3 * i + 2] * v[6 + k];
    if (k == 1) {
      const double d = u[0] * u[3] + u[1] * u[4] + u[2] * u[5];
      for (int i = 0; i < 3; ++i) u[3 + i] -= d * u[i];
    }
    const double n = sqrt(u[3 * k] * u[3 * k] + u[3 * k + 1] * u[3 * k + 1] + u[3 * k + 2] * u[3 * k + 2]);
    if (!(n > 0)) {
      for (int i = 0; i < 9; ++i) out[i] = (i % 4 == 0) ? 1 : 0;
      return;
    }
    for (int i = 0; i < 3; ++i) u[3 * k + i] /= n;
  }
  cross(u, u + 3, u + 6);
  double third[3];  // of a right-handed (v1, v2): makes det R = +1 whatever the sign of the smallest singular value
  const double v1[3] = {v[0], v[3], v[6]}, v2[3] = {v[1], v[4], v[7]};
  cross(v1, v2, third);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out[3 * i + j] = u[i] * v1[j] + u[3 + i] * v2[j] + u[6 + i] * third[j];
}

}  // namespace sfm
