// A pose to start from: the mean face's, in closed form, refined by a few steps on the pose alone. What goes through the
// landmarks is shared by the lanes that work on the problem; all else every lane does.
#pragma once

#include <math.h>

#include "core/Camera.h"
#include "core/Lanes.h"
#include "core/Rotation.h"

namespace sfm {

// One landmark: its place on the mean face, its observation and its weight (1 for a good landmark, 0 for one that is
// missing).
struct PosePoint {
  double model[3];
  double observed[3];
  double weight;
};

struct PoseMoments {
  double weight;
  double model[3];  // centroids
  double observed[3];
  double modelSpread[9];  // sum w (m - mbar)(m - mbar)^T / sum w
  double observedSpread[9];  // likewise of the observations
  double crossMoment[9];  // sum w (o - obar)(m - mbar)^T / sum w
};

// `points[i]` is landmark i, a PosePoint.
template <class Lanes, class Points>
SFM_HD PoseMoments poseMoments(const Lanes& lanes, const Points& points, int count, int dimensions) {
  PoseMoments m = {};
  for (int i = lanes.first(); i < count; i += lanes.stride()) {
    const PosePoint& point = points[i];
    m.weight += point.weight;
    for (int a = 0; a < 3; ++a) m.model[a] += point.weight * point.model[a];
    for (int a = 0; a < dimensions; ++a) m.observed[a] += point.weight * point.observed[a];
  }
  lanes.sum(&m.weight, 1);
  lanes.sum(m.model, 3);
  lanes.sum(m.observed, dimensions);
  for (int a = 0; a < 3; ++a) {
    m.model[a] /= m.weight;
    m.observed[a] /= m.weight;
  }
  for (int i = lanes.first(); i < count; i += lanes.stride()) {
    const PosePoint& point = points[i];
    double model[3], observed[3] = {0, 0, 0};
    for (int a = 0; a < 3; ++a) model[a] = point.model[a] - m.model[a];
    for (int a = 0; a < dimensions; ++a) observed[a] = point.observed[a] - m.observed[a];
    const double share = point.weight / m.weight;
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        m.modelSpread[3 * a + b] += share * model[a] * model[b];
        m.observedSpread[3 * a + b] += share * observed[a] * observed[b];
        m.crossMoment[3 * a + b] += share * observed[a] * model[b];
      }
    }
  }
  lanes.sum(m.modelSpread, 9);
  lanes.sum(m.observedSpread, 9);
  lanes.sum(m.crossMoment, 9);
  return m;
}

// Whether the points span at least a plane (2 of the 3 principal extents above 1% of the largest): less determines no
// pose.
SFM_HD bool spansPlane(const double* spread) {
  double values[3], vectors[9];
  symmetricEigen3x3(spread, values, vectors);
  return values[0] > 0 && values[1] > 1e-4 * values[0];
}

struct ImagePose {
  double rotation[9];
  double p, q, logScale;
};

// Weak perspective in closed form: the affine map u = M S + t by least squares, then the scaled rotation nearest to M.
// `reversed` gives the other depth interpretation, which a face that is nearly flat fits almost as well: M with its
// component along the model's direction of least extent turned round.
SFM_HD ImagePose affinePose(const PoseMoments& m, bool reversed) {
  double values[3], axes[9];
  symmetricEigen3x3(m.modelSpread, values, axes);
  // M = C S^-1 along the principal axes; a ridge keeps an extent that the points do not have from exploding.
  double affine[9] = {0};
  for (int k = 0; k < 3; ++k) {
    const double ridge = values[k] + 1e-4 * values[0];
    const double sign = (reversed && k == 2) ? -1 : 1;
    for (int a = 0; a < 2; ++a) {
      double along = 0;
      for (int b = 0; b < 3; ++b) along += m.crossMoment[3 * a + b] * axes[3 * b + k];
      for (int b = 0; b < 3; ++b) affine[3 * a + b] += sign * along / ridge * axes[3 * b + k];
    }
  }
  ImagePose pose;
  nearestRotation(affine, pose.rotation);
  double scale = 0;
  for (int i = 0; i < 6; ++i) scale += 0.5 * affine[i] * pose.rotation[i];
  scale = scale > 1e-12 ? scale : 1e-12;
  pose.logScale = log(scale);
  double centre[2];
  for (int a = 0; a < 2; ++a) {
    centre[a] = 0;
    for (int b = 0; b < 3; ++b) centre[a] += pose.rotation[3 * a + b] * m.model[b];
  }
  pose.p = m.observed[0] - scale * centre[0];
  pose.q = m.observed[1] - scale * centre[1];
  return pose;
}

// In-place solution of a small symmetric positive definite system; false where it is not positive definite.
SFM_HD bool solveSmall(double* a, double* b, int n) {
  for (int j = 0; j < n; ++j) {
    double d = a[j * n + j];
    for (int k = 0; k < j; ++k) d -= a[j * n + k] * a[j * n + k];
    if (!(d > 0)) return false;
    d = sqrt(d);
    a[j * n + j] = d;
    for (int i = j + 1; i < n; ++i) {
      double sum = a[i * n + j];
      for (int k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = sum / d;
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return true;
}

// The mean face is a few mm off everywhere: of many landmarks every so manieth tells its pose as well.
constexpr int kStartLandmarks = 64;
SFM_HD int startStep(int count) { return count < 2 * kStartLandmarks ? 1 : count / kStartLandmarks; }

// The normal equations of the pose, H's lower triangle and -g, with a robust cost and the weights, as sums over landmarks.
// Lanes that have a way of their own to them have kSumsPose, and a function sumPose (cpu/PoseBlock.h).
struct PoseSystem {
  double h[36], g[6], cost, total;
};

// Gauss-Newton on the six numbers of the pose with Student-t weights of a generous width (the mean face is a few mm off
// everywhere). Returns a robust cost per unit of weight (0 to 1) of the best pose seen, which `pose` then holds;
// infinity if it lies behind the camera.
template <class Lanes, class Points>
SFM_HD double refinePose(const Lanes& lanes, const Points& points, int count, double inverseFocal, double widthMm,
                         int iterations, ImagePose* pose) {
  ImagePose current = *pose;
  double best = HUGE_VAL;
  const double width = widthMm * exp(pose->logScale);
  for (int iteration = 0; iteration <= iterations; ++iteration) {
    double h[36] = {0}, g[6] = {0};
    double cost = 0, total = 0;
    const double scale = exp(current.logScale);
    if constexpr (Lanes::kSumsPose) {
      const PoseSystem sums = sumPose(lanes, points, count, current, scale, inverseFocal, width);
      for (int i = 0; i < 36; ++i) h[i] = sums.h[i];
      for (int c = 0; c < 6; ++c) g[c] = sums.g[c];
      cost = sums.cost;
      total = sums.total;
    } else {
      const int every = startStep(count);
      for (int i = lanes.first() * every; i < count; i += lanes.stride() * every) {
        const PosePoint& point = points[i];
        if (point.weight == 0) continue;
        double x[3];
        for (int a = 0; a < 3; ++a)
          x[a] = current.rotation[3 * a] * point.model[0] + current.rotation[3 * a + 1] * point.model[1] +
                 current.rotation[3 * a + 2] * point.model[2];
        const Projection at = project(scale, inverseFocal, current.p, current.q, x);
        if (!(at.depth > kMinimumDepth)) {
          cost = HUGE_VAL;
          break;
        }
        const double r[2] = {at.u - point.observed[0], at.v - point.observed[1]};
        const double q = (r[0] * r[0] + r[1] * r[1]) / (width * width);
        cost += point.weight * q / (4 + q);
        total += point.weight;
        const double w = point.weight / (4 + q);
        double jx[6], jc[8];
        projectionJacobian(scale, inverseFocal, at, jx);
        cameraJacobian(scale, inverseFocal, x, at, jc);
        for (int a = 0; a < 2; ++a) {
          // d(u)/d(omega) = (X x du/dX)
          double row[6];
          cross(x, jx + 3 * a, row);
          for (int c = 0; c < 3; ++c) row[3 + c] = jc[4 * a + c];
          for (int c = 0; c < 6; ++c) {
            g[c] -= w * row[c] * r[a];
            for (int d = 0; d <= c; ++d) h[6 * c + d] += w * row[c] * row[d];
          }
        }
      }
    }
    lanes.sum(&cost, 1);
    lanes.sum(&total, 1);
    cost = cost < HUGE_VAL ? cost / total : cost;
    if (cost < best) {
      best = cost;
      *pose = current;
    }
    if (iteration == iterations || !(cost < HUGE_VAL)) break;
    for (int c = 0; c < 6; ++c) lanes.sum(h + 6 * c, c + 1);
    lanes.sum(g, 6);
    for (int c = 0; c < 6; ++c) h[7 * c] *= 1 + 1e-3;
    if (!solveSmall(h, g, 6)) break;
    const double turn = sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]);
    const double limit = turn > 0.5 ? 0.5 / turn : 1;
    double turned[9], step[3] = {limit * g[0], limit * g[1], limit * g[2]};
    rotationExp(step, turned);
    double rotation[9];
    multiply3x3(turned, current.rotation, rotation);
    for (int c = 0; c < 9; ++c) current.rotation[c] = rotation[c];
    current.p += limit * g[3];
    current.q += limit * g[4];
    current.logScale += limit * g[5] > 1 ? 1 : (limit * g[5] < -1 ? -1 : limit * g[5]);
  }
  orthonormalise(pose->rotation);
  return best;
}

}  // namespace sfm
