// The products of Linear.h in double precision and in the plainest words: what every other implementation is held to.
#pragma once

#include <math.h>

#include "core/Lanes.h"
#include "core/Platform.h"

namespace sfm {
namespace {

struct ReferenceKernels {
  using Real = double;
  using Lanes = OneLane;
  static constexpr bool kRough = false;

  static void rowDots(const float* rows, int count, int stride, int n, const double* x, double* out) {
    for (int i = 0; i < count; ++i) {
      out[i] = 0;
      for (int c = 0; c < n; ++c) out[i] += static_cast<double>(rows[static_cast<long>(i) * stride + c]) * x[c];
    }
  }

  static void combine(double a, const float* x, double b, const float* y, double c, const float* z, int n,
                      double* out) {
    for (int i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i] + c * z[i];
  }

  static void addCombination(double a, const float* x, double b, const float* y, double c, const float* z, int n,
                             double* out) {
    for (int i = 0; i < n; ++i) out[i] += a * x[i] + b * y[i] + c * z[i];
  }

  static void addScaled(double a, const double* x, int n, double* y) {
    for (int i = 0; i < n; ++i) y[i] += a * x[i];
  }

  static double dotProduct(const double* a, const double* b, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }

  static void gram(bool add, const double* j, int m, int n, int ld, double* h) {
    for (int a = 0; a < n; ++a) {
      double* row = h + static_cast<long>(a) * ld;
      for (int b = a; b < n && !add; ++b) row[b] = 0;
      for (int k = 0; k < m; ++k) {
        const double left = j[static_cast<long>(k) * ld + a];
        for (int b = a; b < n; ++b) row[b] += left * j[static_cast<long>(k) * ld + b];
      }
    }
  }

  static bool factor(double* h, int n, int eliminated, int ld) {
    for (int k = 0; k < eliminated; ++k) {
      double* pivotRow = h + static_cast<long>(k) * ld;
      if (!(pivotRow[k] > 0)) return false;
      const double root = sqrt(pivotRow[k]);
      for (int j = k; j < n; ++j) pivotRow[j] /= root;
      for (int i = k + 1; i < n; ++i)
        for (int j = i; j < n; ++j) h[static_cast<long>(i) * ld + j] -= pivotRow[i] * pivotRow[j];
    }
    return true;
  }

  static void forward(const double* u, int n, int eliminated, int ld, double* b) {
    for (int k = 0; k < eliminated; ++k) {
      const double* row = u + static_cast<long>(k) * ld;
      b[k] /= row[k];
      for (int j = k + 1; j < n; ++j) b[j] -= row[j] * b[k];
    }
  }

  static void backward(const double* u, int n, int rows, int ld, double* b) {
    for (int k = rows - 1; k >= 0; --k) {
      const double* row = u + static_cast<long>(k) * ld;
      for (int j = k + 1; j < n; ++j) b[k] -= row[j] * b[j];
      b[k] /= row[k];
    }
  }

  // Column by column: x = U^-1 e_j.
  static double inverseTrace(const double* u, int first, int n, int ld, double* x) {
    double trace = 0;
    for (int j = first; j < n; ++j) {
      for (int i = j; i >= first; --i) {
        double sum = i == j ? 1 : 0;
        for (int k = i + 1; k <= j; ++k) sum -= u[static_cast<long>(i) * ld + k] * x[k];
        x[i] = sum / u[static_cast<long>(i) * ld + i];
        trace += x[i] * x[i];
      }
    }
    return trace;
  }
};

}  // namespace
}  // namespace sfm
