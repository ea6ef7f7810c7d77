// Rotations, the camera and the closed-form start of the pose.
#include <algorithm>

#include "core/Camera.h"
#include "core/FaceModel.h"
#include "core/PoseStart.h"
#include "core/Rotation.h"
#include "cpu/PoseBlock.h"
#include "test/Check.h"
#include "test/Random.h"
#include "test/SyntheticModel.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kIdentity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};

Random generator(11);

double normal() { return generator.normal(); }
double uniform(double low, double high) { return generator.uniform(low, high); }

void randomDirection(double* v) {
  double n = 0;
  do {
    for (int i = 0; i < 3; ++i) v[i] = normal();
    n = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  } while (n < 1e-3);
  for (int i = 0; i < 3; ++i) v[i] /= n;
}

// Uniform over the rotations: from a normalised quaternion.
void randomRotation(double* r) {
  double q[4], n = 0;
  for (double& value : q) {
    value = normal();
    n += value * value;
  }
  for (double& value : q) value /= std::sqrt(n);
  const double w = q[0], x = q[1], y = q[2], z = q[3];
  const double m[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                       2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                       2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
  std::copy(m, m + 9, r);
}

void transpose(const double* m, double* out) {
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out[3 * i + j] = m[3 * j + i];
}

void apply(const double* m, const double* v, double* out) {
  for (int i = 0; i < 3; ++i) out[i] = m[3 * i] * v[0] + m[3 * i + 1] * v[1] + m[3 * i + 2] * v[2];
}

double largestDifference(const double* a, const double* b, int n) {
  double worst = 0;
  for (int i = 0; i < n; ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

// How far from a rotation: R^T R = I and det R = 1.
double rotationDefect(const double* r) {
  double t[9], product[9];
  transpose(r, t);
  multiply3x3(t, r, product);
  return std::max(largestDifference(product, kIdentity, 9), std::fabs(determinant3x3(r) - 1));
}

// The angle between two rotations, radians; exact for small ones too (a trace would lose half the digits).
double angleBetween(const double* a, const double* b) {
  double t[9], r[9];
  transpose(a, t);
  multiply3x3(t, b, r);
  const double x = r[7] - r[5], y = r[2] - r[6], z = r[3] - r[1];
  return std::atan2(0.5 * std::sqrt(x * x + y * y + z * z), 0.5 * (r[0] + r[4] + r[8] - 1));
}

double traceOfTransposed(const double* a, const double* b) {
  double sum = 0;
  for (int i = 0; i < 9; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

CASE(rotation_exponential_is_a_rotation_about_its_axis) {
  for (const double angle : {0.0, 1e-12, 1e-5, 0.99e-4, 1.01e-4, 0.1, 1.0, kPi, 6.0, 50.0}) {
    for (int i = 0; i < 20; ++i) {
      const Scope scope("angle ", angle);
      double axis[3], omega[3], r[9], turned[3];
      randomDirection(axis);
      for (int c = 0; c < 3; ++c) omega[c] = angle * axis[c];
      rotationExp(omega, r);
      CHECK_AT_MOST(rotationDefect(r), 1e-14 * (1 + angle));
      apply(r, axis, turned);
      CHECK_AT_MOST(largestDifference(turned, axis, 3), 1e-14);
      CHECK_NEAR(r[0] + r[4] + r[8], 1 + 2 * std::cos(angle), 1e-14 * (1 + angle));
      // One-parameter subgroup.
      double half[3] = {0.5 * omega[0], 0.5 * omega[1], 0.5 * omega[2]}, h[9], square[9];
      rotationExp(half, h);
      multiply3x3(h, h, square);
      CHECK_AT_MOST(largestDifference(square, r, 9), 1e-14 * (1 + angle));
    }
  }
  const double quarter[3] = {0, 0, kPi / 2}, x[3] = {1, 0, 0}, y[3] = {0, 1, 0};
  double r[9], turned[3];
  rotationExp(quarter, r);
  apply(r, x, turned);
  CHECK_AT_MOST(largestDifference(turned, y, 3), 1e-15);
}

CASE(rotation_exponential_starts_as_the_cross_product) {
  for (int i = 0; i < 50; ++i) {
    double omega[3], point[3], expected[3], high[9], low[9], ahead[3], behind[3];
    randomDirection(omega);
    randomDirection(point);
    constexpr double h = 1e-5;
    const double plus[3] = {h * omega[0], h * omega[1], h * omega[2]}, minus[3] = {-plus[0], -plus[1], -plus[2]};
    rotationExp(plus, high);
    rotationExp(minus, low);
    apply(high, point, ahead);
    apply(low, point, behind);
    cross(omega, point, expected);
    for (int c = 0; c < 3; ++c) CHECK_NEAR((ahead[c] - behind[c]) / (2 * h), expected[c], 1e-10);
  }
}

CASE(orthonormalise_removes_rounding) {
  for (int i = 0; i < 50; ++i) {
    double exact[9], r[9];
    randomRotation(exact);
    for (int c = 0; c < 9; ++c) r[c] = exact[c] + 1e-7 * normal();
    orthonormalise(r);
    CHECK_AT_MOST(rotationDefect(r), 1e-15);
    CHECK_AT_MOST(largestDifference(r, exact, 9), 1e-6);
  }
}

CASE(symmetric_eigenvalues_and_vectors) {
  double worst = 0;
  const double spectra[][3] = {{3, 2, 1},     {1, 1, 1},    {2, 2, 1},     {2, 1, 1}, {1, 0, 0},      {0, 0, 0},
                               {1, 1e-8, -1}, {-1, -2, -3}, {1, 1e-12, 0}, {5, 5, 0}, {1e30, 1e10, 1}};
  for (const double scale : {1.0, 1e-60, 1e12}) {
    for (const auto& spectrum : spectra) {
      for (int i = 0; i < 20; ++i) {
        double q[9], a[9] = {0};
        randomRotation(q);
        if (i == 0) std::copy(kIdentity, kIdentity + 9, q);
        for (int r = 0; r < 3; ++r)
          for (int c = 0; c < 3; ++c)
            for (int k = 0; k < 3; ++k) a[3 * r + c] += scale * q[3 * r + k] * spectrum[k] * q[3 * c + k];
        for (int r = 0; r < 3; ++r)
          for (int c = 0; c < r; ++c) a[3 * r + c] = a[3 * c + r];
        const double size = scale * std::max(std::fabs(spectrum[0]), std::fabs(spectrum[2]));
        double values[3], v[9], t[9], product[9];
        symmetricEigen3x3(a, values, v);
        CHECK(values[0] >= values[1] && values[1] >= values[2]);
        for (int k = 0; k < 3; ++k) CHECK_NEAR(values[k], scale * spectrum[k], 2e-15 * size);
        transpose(v, t);
        multiply3x3(t, v, product);
        CHECK_AT_MOST(largestDifference(product, kIdentity, 9), 4e-15);
        for (int k = 0; k < 3; ++k) {
          const double vector[3] = {v[k], v[3 + k], v[6 + k]};
          double image[3], expected[3];
          apply(a, vector, image);
          for (int c = 0; c < 3; ++c) expected[c] = values[k] * vector[c];
          const double defect = largestDifference(image, expected, 3);
          if (size > 0) worst = std::max(worst, defect / size);
          CHECK_AT_MOST(defect, 4e-15 * size);
        }
      }
    }
  }
  note("worst |A v - lambda v| / |A| ", worst);
}

CASE(nearest_rotation_is_nearer_than_any_other) {
  for (const int kind : {0, 1, 2, 3}) {  // positive determinant, negative, rank 2, the two rows of an affine camera
    for (int i = 0; i < 40; ++i) {
      const Scope scope("kind ", kind, ", number ", i);
      double m[9], r[9];
      for (double& value : m) value = normal();
      const double determinant = determinant3x3(m);
      if ((kind == 0 && determinant < 0) || (kind == 1 && determinant > 0))
        for (int c = 0; c < 3; ++c) m[c] = -m[c];
      if (kind == 2)
        for (int c = 0; c < 3; ++c) m[3 * c + 2] = 0.3 * m[3 * c] - 2 * m[3 * c + 1];
      if (kind == 3)
        for (int c = 0; c < 3; ++c) m[6 + c] = 0;
      nearestRotation(m, r);
      CHECK_AT_MOST(rotationDefect(r), 1e-14);
      const double found = traceOfTransposed(r, m);
      for (int trial = 0; trial < 300; ++trial) {
        double other[9];
        randomRotation(other);
        CHECK_AT_MOST(traceOfTransposed(other, m), found + 1e-13);
        // And near by, where a wrong answer that is nearly right would show.
        double omega[3], turn[9];
        randomDirection(omega);
        for (double& value : omega) value *= 1e-4;
        rotationExp(omega, turn);
        multiply3x3(turn, r, other);
        CHECK_AT_MOST(traceOfTransposed(other, m), found + 1e-13);
      }
    }
  }
}

CASE(nearest_rotation_of_a_stretched_rotation_is_that_rotation) {
  for (int i = 0; i < 100; ++i) {
    double exact[9], q[9], stretch[9] = {0}, m[9], r[9];
    randomRotation(exact);
    randomRotation(q);
    const double sizes[3] = {uniform(0.5, 3), uniform(0.5, 3), uniform(0.5, 3)};
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b)
        for (int k = 0; k < 3; ++k) stretch[3 * a + b] += q[3 * a + k] * sizes[k] * q[3 * b + k];
    multiply3x3(exact, stretch, m);
    nearestRotation(m, r);
    CHECK_AT_MOST(angleBetween(r, exact), 1e-13);
  }
  // Of rank below two any rotation may come, but a rotation.
  const double zero[9] = {0}, rankOne[9] = {1, 2, 3, 2, 4, 6, 3, 6, 9};
  double r[9];
  nearestRotation(zero, r);
  CHECK_AT_MOST(rotationDefect(r), 1e-14);
  nearestRotation(rankOne, r);
  CHECK_AT_MOST(rotationDefect(r), 1e-14);
}

CASE(camera_is_the_pinhole_it_claims_to_be) {
  for (int i = 0; i < 100; ++i) {
    const double focal = uniform(500, 3000), t[3] = {100 * normal(), 100 * normal(), uniform(300, 3000)};
    const double x[3] = {80 * normal(), 80 * normal(), 40 * normal()};
    const double scale = focal / t[2];
    const Projection at = project(scale, 1 / focal, scale * t[0], scale * t[1], x);
    CHECK_NEAR(at.u, focal * (x[0] + t[0]) / (x[2] + t[2]), 1e-9);
    CHECK_NEAR(at.v, focal * (x[1] + t[1]) / (x[2] + t[2]), 1e-9);
    CHECK_NEAR(at.depth, (x[2] + t[2]) / t[2], 1e-13);
    // Weak perspective is the limit of an infinite focal length.
    const Projection weak = project(scale, 0, scale * t[0], scale * t[1], x);
    CHECK_NEAR(weak.u, scale * (x[0] + t[0]), 1e-10);
    CHECK_NEAR(weak.v, scale * (x[1] + t[1]), 1e-10);
    CHECK_EQUAL(weak.depth, 1.0);
    const Projection nearly = project(scale, 1e-13, scale * t[0], scale * t[1], x);
    CHECK_NEAR(nearly.u, weak.u, 1e-7);
  }
}

CASE(camera_derivatives_agree_with_finite_differences) {
  double worst = 0;
  for (int i = 0; i < 200; ++i) {
    const bool weak = i % 4 == 0;
    const double focal = uniform(300, 3000);
    const double parameters[4] = {100 * normal(), 100 * normal(), std::log(uniform(0.5, 5)), std::log(focal)};
    const double x[3] = {80 * normal(), 80 * normal(), 40 * normal()};
    const auto image = [weak](const double* camera, const double* point) {
      return project(std::exp(camera[2]), weak ? 0 : std::exp(-camera[3]), camera[0], camera[1], point);
    };
    const Projection at = image(parameters, x);
    double jx[6], jc[8];
    projectionJacobian(std::exp(parameters[2]), weak ? 0 : std::exp(-parameters[3]), at, jx);
    cameraJacobian(std::exp(parameters[2]), weak ? 0 : std::exp(-parameters[3]), x, at, jc);
    const auto compare = [&worst](double actual, double high, double low, double h) {
      const double expected = (high - low) / (2 * h);
      const double relative = std::fabs(actual - expected) / (1 + std::fabs(expected));
      worst = std::max(worst, relative);
      CHECK_AT_MOST(relative, 1e-6);
    };
    for (int c = 0; c < 3; ++c) {
      constexpr double h = 1e-3;
      double high[3] = {x[0], x[1], x[2]}, low[3] = {x[0], x[1], x[2]};
      high[c] += h;
      low[c] -= h;
      compare(jx[c], image(parameters, high).u, image(parameters, low).u, h);
      compare(jx[3 + c], image(parameters, high).v, image(parameters, low).v, h);
    }
    for (int c = 0; c < 4; ++c) {
      constexpr double h = 1e-5;
      double high[4], low[4];
      std::copy(parameters, parameters + 4, high);
      std::copy(parameters, parameters + 4, low);
      high[c] += h;
      low[c] -= h;
      compare(jc[c], image(high, x).u, image(low, x).u, h);
      compare(jc[4 + c], image(high, x).v, image(low, x).v, h);
    }
  }
  note("worst relative difference ", worst);
}

CASE(moments_are_weighted_means) {
  for (const int dimensions : {2, 3}) {
    std::vector<PosePoint> points(25);
    for (PosePoint& point : points)
      point = {{50 * normal(), 50 * normal(), 30 * normal()},
               {normal() + 7, normal() - 3, dimensions == 3 ? normal() : 0},
               uniform(0.01, 3)};
    const PoseMoments m = poseMoments(OneLane(), points.data(), 25, dimensions);
    const auto mean = [&](auto value) {
      double sum = 0, weight = 0;
      for (const PosePoint& point : points) {
        sum += point.weight * value(point);
        weight += point.weight;
      }
      return sum / weight;
    };
    for (int a = 0; a < 3; ++a) {
      CHECK_NEAR(m.model[a], mean([a](const PosePoint& p) { return p.model[a]; }), 1e-12);
      CHECK_NEAR(m.observed[a], mean([a](const PosePoint& p) { return p.observed[a]; }), 1e-13);
      for (int b = 0; b < 3; ++b) {
        const auto model = [&](const PosePoint& p, int i) { return p.model[i] - m.model[i]; };
        const auto observed = [&](const PosePoint& p, int i) { return p.observed[i] - m.observed[i]; };
        CHECK_NEAR(m.modelSpread[3 * a + b], mean([&](const PosePoint& p) { return model(p, a) * model(p, b); }),
                   1e-10);
        CHECK_NEAR(m.observedSpread[3 * a + b],
                   mean([&](const PosePoint& p) { return observed(p, a) * observed(p, b); }), 1e-12);
        CHECK_NEAR(m.crossMoment[3 * a + b], mean([&](const PosePoint& p) { return observed(p, a) * model(p, b); }),
                   1e-11);
      }
    }
  }
}

CASE(planes_and_lines_are_told_apart) {
  const auto spans = [](int dimensions, auto place) {
    std::vector<PosePoint> points(20);
    for (PosePoint& point : points) {
      point = {{normal(), normal(), normal()}, {0, 0, 0}, 1};
      place(point.observed);
    }
    return spansPlane(poseMoments(OneLane(), points.data(), 20, dimensions).observedSpread);
  };
  const auto line = [](double noise) {
    return [noise](double* p) {
      const double s = 100 * normal();
      p[0] = 300 + 0.6 * s + noise * normal();
      p[1] = 200 + 0.8 * s + noise * normal();
    };
  };
  CHECK(!spans(2, line(0)));
  CHECK(!spans(2, line(0.1)));
  CHECK(spans(2, line(10)));
  CHECK(!spans(2, [](double* p) { p[0] = p[1] = 5; }));
  CHECK(spans(3, [](double* p) {
    p[0] = normal();
    p[1] = normal();
  }));
  CHECK(!spans(3, [](double* p) { p[0] = p[1] = p[2] = normal(); }));
}

namespace {

// Camera axes have y down and z forward: a face that looks into the camera is turned by half a turn about x.
void poseOf(double yaw, double pitch, double roll, double* rotation) {
  const double flip[9] = {1, 0, 0, 0, -1, 0, 0, 0, -1};
  double y[9], p[9], r[9], yp[9], ypr[9];
  const double aboutY[3] = {0, yaw, 0}, aboutX[3] = {pitch, 0, 0}, aboutZ[3] = {0, 0, roll};
  rotationExp(aboutY, y);
  rotationExp(aboutX, p);
  rotationExp(aboutZ, r);
  multiply3x3(y, p, yp);
  multiply3x3(r, yp, ypr);
  multiply3x3(ypr, flip, rotation);
}

struct PoseCase {
  double rotation[9];
  double scale, inverseFocal, p, q;
  std::vector<PosePoint> points;
};

PoseCase poseCase(const std::vector<SurfacePoint>& landmarks, const FaceModel& model, double yaw, double pitch,
                  double roll, double focal) {
  PoseCase c;
  poseOf(yaw, pitch, roll, c.rotation);
  c.scale = uniform(0.5, 5);
  c.inverseFocal = focal > 0 ? 1 / focal : 0;
  c.p = 300 * normal();
  c.q = 300 * normal();
  std::vector<double> rows(3 * static_cast<size_t>(model.tangentCount() + 1 + model.expressionCount()));
  for (const SurfacePoint& landmark : landmarks) {
    PosePoint point = {{0, 0, 0}, {0, 0, 0}, 1};
    model.gather(landmark, point.model, rows.data());
    double x[3];
    apply(c.rotation, point.model, x);
    const Projection at = project(c.scale, c.inverseFocal, c.p, c.q, x);
    point.observed[0] = at.u;
    point.observed[1] = at.v;
    c.points.push_back(point);
  }
  return c;
}

// The better of the two depth interpretations, as a fit starts.
template <class Lanes = OneLane>
ImagePose bestStart(const PoseCase& c, int steps, double* cost) {
  const PoseMoments moments = poseMoments(OneLane(), c.points.data(), static_cast<int>(c.points.size()), 2);
  ImagePose best = {};
  *cost = HUGE_VAL;
  for (const bool reversed : {false, true}) {
    ImagePose pose = affinePose(moments, reversed);
    const double value =
        refinePose(Lanes(), c.points.data(), static_cast<int>(c.points.size()), c.inverseFocal, 4, steps, &pose);
    if (!(value < *cost)) continue;
    *cost = value;
    best = pose;
  }
  return best;
}

}  // namespace

CASE(pose_of_an_exact_face_is_found_in_any_attitude) {
  SyntheticModelOptions options;
  options.tangent = 3;
  options.expressions = 2;
  SyntheticModel synthetic(options);
  const FaceModel model(synthetic.source());
  const LandmarkSchemeSource scheme = synthetic.landmarks(68);
  std::vector<SurfacePoint> landmarks;
  for (int i = 0; i < scheme.count; ++i)
    landmarks.push_back({{scheme.indices[3 * i], scheme.indices[3 * i + 1], scheme.indices[3 * i + 2]},
                         {scheme.weights[3 * i], scheme.weights[3 * i + 1], scheme.weights[3 * i + 2]}});
  double affineWorst = 0, fewWorst = 0, manyWorst = 0;
  for (const double focal : {0.0, 1200.0}) {
    for (double yaw = -75; yaw <= 75; yaw += 15) {
      for (double roll = -180; roll <= 180; roll += 45) {
        for (const double pitch : {-30.0, 0.0, 30.0}) {
          const Scope scope("focal ", focal, ", yaw ", yaw, ", pitch ", pitch, ", roll ", roll);
          const PoseCase c = poseCase(landmarks, model, yaw * kPi / 180, pitch * kPi / 180, roll * kPi / 180, focal);
          if (focal == 0) {
            const ImagePose affine = affinePose(poseMoments(OneLane(), c.points.data(), 68, 2), false);
            CHECK_AT_MOST(rotationDefect(affine.rotation), 1e-13);
            affineWorst = std::max(affineWorst, angleBetween(affine.rotation, c.rotation));
            // The ridge alone keeps the closed form from being exact.
            CHECK_AT_MOST(angleBetween(affine.rotation, c.rotation), 1e-3);
          }
          double cost;
          const ImagePose few = bestStart(c, 4, &cost);
          fewWorst = std::max(fewWorst, angleBetween(few.rotation, c.rotation));
          CHECK_AT_MOST(angleBetween(few.rotation, c.rotation), 1e-5);
          double sameCost;
          const ImagePose same = bestStart<VectorLane>(c, 4, &sameCost);
          CHECK_NEAR(sameCost, cost, 1e-12);
          CHECK_AT_MOST(angleBetween(same.rotation, few.rotation), 1e-9);
          CHECK_NEAR(same.p, few.p, 1e-8);
          CHECK_NEAR(same.q, few.q, 1e-8);
          CHECK_NEAR(same.logScale, few.logScale, 1e-10);
          const ImagePose many = bestStart(c, 20, &cost);
          manyWorst = std::max(manyWorst, angleBetween(many.rotation, c.rotation));
          CHECK_AT_MOST(rotationDefect(many.rotation), 1e-14);
          CHECK_AT_MOST(angleBetween(many.rotation, c.rotation), 1e-9);
          CHECK_NEAR(many.logScale, std::log(c.scale), 1e-9);
          CHECK_NEAR(many.p, c.p, 1e-6);
          CHECK_NEAR(many.q, c.q, 1e-6);
          CHECK_AT_MOST(cost, 1e-12);
        }
      }
    }
  }
  note("worst angle in radians: closed form ", affineWorst, ", 4 steps ", fewWorst, ", 20 steps ", manyWorst);
}

CASE(pose_behind_the_camera_costs_infinity) {
  // A scale so large that every second point would lie behind the camera's plane.
  std::vector<PosePoint> points;
  for (int i = 0; i < 10; ++i) points.push_back({{normal(), normal(), i % 2 ? 5.0 : -5.0}, {normal(), normal(), 0}, 1});
  ImagePose pose = {{1, 0, 0, 0, 1, 0, 0, 0, 1}, 0, 0, std::log(10)};
  CHECK_EQUAL(refinePose(OneLane(), points.data(), 10, 1.0, 4, 4, &pose), HUGE_VAL);
  CHECK_EQUAL(refinePose(VectorLane(), points.data(), 10, 1.0, 4, 4, &pose), HUGE_VAL);
}

CASE(small_systems_are_solved_or_refused) {
  for (int n = 1; n <= 6; ++n) {
    double g[6][6], a[36] = {0}, x[6], b[6] = {0};
    for (auto& row : g)
      for (double& value : row) value = normal();
    for (int i = 0; i < n; ++i) {
      x[i] = normal();
      for (int j = 0; j < n; ++j)
        for (int k = 0; k < n; ++k) a[i * n + j] += g[k][i] * g[k][j] + (k == i && i == j ? 1 : 0);
    }
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) b[i] += a[i * n + j] * x[j];
    double indefinite[36];
    std::copy(a, a + 36, indefinite);
    indefinite[n * n - 1] = -1;
    CHECK(solveSmall(a, b, n));
    CHECK_AT_MOST(largestDifference(b, x, n), 1e-11);
    CHECK(!solveSmall(indefinite, b, n));
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
