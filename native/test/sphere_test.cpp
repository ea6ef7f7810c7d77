// The identity sphere: its chart, its manifold operations, and a model's latents in both kinds of coordinates.
#include "core/Sphere.h"

#include "core/FaceModel.h"
#include "test/Check.h"
#include "test/Random.h"
#include "test/SyntheticModel.h"

using namespace sfm;
using namespace sfm::test;

namespace {

using Vector = std::vector<double>;

constexpr double kPi = 3.14159265358979323846;

Random generator(7);

Vector randomVector(int n, double length) {
  Vector v(static_cast<size_t>(n));
  for (double& value : v) value = generator.normal();
  const double scale = length / std::sqrt(squaredNorm(v.data(), n));
  for (double& value : v) value *= scale;
  return v;
}

double norm(const Vector& v) { return std::sqrt(squaredNorm(v.data(), static_cast<int>(v.size()))); }
double product(const Vector& a, const Vector& b) { return dot(a.data(), b.data(), static_cast<int>(a.size())); }

double distance(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

Vector scaled(const Vector& v, double factor) {
  Vector result(v);
  for (double& value : result) value *= factor;
  return result;
}

Vector randomTangent(const Vector& z, double length) {
  Vector v = randomVector(static_cast<int>(z.size()), 1);
  const double along = product(v, z) / product(z, z);
  for (size_t i = 0; i < v.size(); ++i) v[i] -= along * z[i];
  return scaled(v, length / norm(v));
}

Vector exponential(const Vector& z, const Vector& step, double r) {
  Vector out(z.size());
  sphereExp(z.data(), step.data(), r, static_cast<int>(z.size()), out.data());
  return out;
}

Vector logarithm(const Vector& from, const Vector& to, double r) {
  Vector out(from.size());
  sphereLog(from.data(), to.data(), r, static_cast<int>(from.size()), out.data());
  return out;
}

Vector transport(const Vector& z, const Vector& step, double r, const Vector& vector) {
  Vector out(z.size());
  sphereTransport(z.data(), step.data(), r, static_cast<int>(z.size()), vector.data(), out.data());
  return out;
}

// The chart as docs/sphere.md has it, in terms of the scalars under test.
Vector chartPoint(const Vector& v, double r) {
  const ChartScalars s = chartScalars(norm(v) / r);
  Vector z = scaled(v, s.sinc);
  z.push_back(r * s.cosine);
  return z;
}

// Lengths of a step in radians: none, where the series serves, either side of its end (0.01), ordinary, nearly round.
const double kAngles[] = {0, 1e-12, 1e-8, 1e-4, 0.00999, 0.01001, 0.3, 1.5, 3.0, kPi - 1e-5};

// sinc, cos and (cos - sinc) / theta^2 summed from their Taylor series, which cancels little below one.
ChartScalars seriesScalars(double theta) {
  const double t2 = theta * theta;
  double sinc = 0, cosine = 0, kappa = 0, power = 1, factorial = 1;  // power = (-t2)^n, factorial = (2n)!
  for (int n = 0; n < 20; ++n) {
    cosine += power / factorial;
    sinc += power / (factorial * (2 * n + 1));
    // (-1)^(n+1) t^2n [1 / (2n+2)! - 1 / (2n+3)!]
    const double next = factorial * (2 * n + 1) * (2 * n + 2);
    kappa -= power * (1 / next - 1 / (next * (2 * n + 3)));
    power *= -t2;
    factorial = next;
  }
  return {sinc, cosine, kappa};
}

}  // namespace

CASE(chart_scalars_are_the_functions_they_name) {
  for (double theta = 0; theta < 1; theta = theta < 1e-9 ? 1e-9 : theta * 1.07) {
    const ChartScalars actual = chartScalars(theta), expected = seriesScalars(theta);
    const Scope scope("theta ", theta);
    CHECK_NEAR(actual.sinc, expected.sinc, 4e-16);
    CHECK_NEAR(actual.cosine, expected.cosine, 4e-16);
    // cos - sinc cancels: a rounding of either, over theta^2, is the best that can be had.
    CHECK_NEAR(actual.kappa, expected.kappa, 1e-15 + (theta > 0.01 ? 3e-16 / (theta * theta) : 0));
  }
  for (double theta = 1; theta < 3.2; theta += 0.1) {
    const ChartScalars s = chartScalars(theta);
    CHECK_NEAR(s.sinc, std::sin(theta) / theta, 1e-15);
    CHECK_NEAR(s.cosine, std::cos(theta), 1e-15);
    CHECK_NEAR(s.kappa * theta * theta + s.sinc, s.cosine, 1e-15);
  }
}

CASE(chart_derivative_agrees_with_finite_differences) {
  constexpr int d = 6;
  double worst = 0;
  for (const double r : {1.0, 13.0}) {
    for (const double theta : kAngles) {
      const Scope scope("r ", r, ", theta ", theta);
      const Vector v = randomVector(d, theta * r);
      const ChartScalars s = chartScalars(theta);
      const double h = 1e-5 * r;
      for (int j = 0; j < d; ++j) {
        Vector ahead(v), behind(v);
        ahead[j] += h;
        behind[j] -= h;
        const Vector high = chartPoint(ahead, r), low = chartPoint(behind, r);
        for (int i = 0; i <= d; ++i) {
          const double expected = (high[i] - low[i]) / (2 * h);
          const double actual = i < d ? (i == j ? s.sinc : 0) + s.kappa * v[i] * v[j] / (r * r) : -s.sinc * v[j] / r;
          worst = std::max(worst, std::fabs(actual - expected));
          CHECK_NEAR(actual, expected, 1e-9);
        }
      }
    }
  }
  note("worst difference ", worst);
}

CASE(chart_is_the_exponential_map_at_the_pole) {
  constexpr int d = 5;
  constexpr double r = 4;
  Vector pole(d + 1, 0.0);
  pole[d] = r;
  for (const double theta : kAngles) {
    const Vector v = randomVector(d, theta * r);
    Vector step(v);
    step.push_back(0);
    CHECK_AT_MOST(distance(chartPoint(v, r), exponential(pole, step, r)), 1e-14 * r);
  }
}

CASE(exponential_stays_on_the_sphere_and_logarithm_undoes_it) {
  for (const int k : {2, 3, 17, 101}) {
    for (const double r : {1.0, 12.5}) {
      for (const double theta : kAngles) {
        const Scope scope("k ", k, ", r ", r, ", theta ", theta);
        const Vector z = randomVector(k, r);
        const Vector step = randomTangent(z, theta * r);
        const Vector to = exponential(z, step, r);
        CHECK_NEAR(norm(to), r, 1e-14 * r);
        const Vector back = logarithm(z, to, r);
        // Near the antipode a rounding of the point turns the direction by as much over the distance left.
        const double conditioning = 1 + 4 / (kPi - theta);
        CHECK_AT_MOST(distance(back, step), 2e-15 * r * conditioning);
        CHECK_AT_MOST(std::fabs(product(back, z)), 2e-15 * r * r * conditioning);
      }
    }
  }
}

CASE(logarithm_then_exponential_returns) {
  for (int i = 0; i < 200; ++i) {
    const Vector from = randomVector(8, 3), to = randomVector(8, 3);
    CHECK_AT_MOST(distance(exponential(from, logarithm(from, to, 3), 3), to), 1e-14);
  }
}

CASE(zero_step_changes_nothing) {
  const Vector z = randomVector(9, 2), zero(9, 0.0), v = randomTangent(z, 1.3);
  CHECK(exponential(z, zero, 2) == z);
  CHECK(transport(z, zero, 2, v) == v);
  CHECK_AT_MOST(norm(logarithm(z, z, 2)), 1e-15);
}

CASE(logarithm_at_the_antipode_is_zero_not_nan) {
  const Vector z = {0, 0, 2};
  CHECK_EQUAL(norm(logarithm(z, scaled(z, -1), 2)), 0.0);
}

CASE(steps_along_a_geodesic_add_up) {
  for (const double r : {1.0, 9.0}) {
    for (const double a : {0.0, 1e-6, 0.4, 1.2}) {
      for (const double b : {1e-7, 0.01, 0.7, 1.9}) {
        const Scope scope("r ", r, ", a ", a, ", b ", b);
        const Vector z = randomVector(12, r), direction = randomTangent(z, 1);
        const Vector first = scaled(direction, a * r), whole = scaled(direction, (a + b) * r);
        const Vector middle = exponential(z, first, r);
        const Vector second = transport(z, first, r, scaled(direction, b * r));
        CHECK_AT_MOST(distance(exponential(middle, second, r), exponential(z, whole, r)), 4e-15 * r);
      }
    }
  }
}

CASE(transport_is_an_isometry_between_tangent_spaces) {
  constexpr int k = 10;
  constexpr double r = 5;
  for (const double theta : kAngles) {
    const Scope scope("theta ", theta);
    const Vector z = randomVector(k, r), step = randomTangent(z, theta * r);
    const Vector u = randomTangent(z, 2), v = randomTangent(z, 3);
    const Vector there = exponential(z, step, r), tu = transport(z, step, r, u), tv = transport(z, step, r, v);
    CHECK_NEAR(product(tu, there), 0, 1e-13);
    CHECK_NEAR(product(tu, tv), product(u, v), 1e-13);
    CHECK_NEAR(norm(tv), 3, 1e-14);
    // Along the way back it is undone.
    const Vector backwards = scaled(transport(z, step, r, step), -1);
    CHECK_AT_MOST(distance(transport(there, backwards, r, tv), v), 2e-14);
    Vector inPlace(v);
    sphereTransport(z.data(), step.data(), r, k, inPlace.data(), inPlace.data());
    CHECK(inPlace == tv);
  }
}

namespace {

// The displacement of mesh coordinate i for a latent of the file.
double displacement(SyntheticModel& model, const Vector& latent, size_t i) {
  double sum = 0;
  for (size_t k = 0; k < latent.size(); ++k)
    sum += latent[k] * static_cast<double>(model.identity()[k * model.mean().size() + i]);
  return sum;
}

}  // namespace

CASE(latents_and_tangent_coordinates_are_inverse) {
  for (const bool turned : {false, true}) {
    for (const bool correlated : {false, true}) {
      const Scope scope("turned ", turned, ", correlated ", correlated);
      SyntheticModelOptions options;
      options.side = 6;
      options.turned = turned;
      options.correlated = correlated;
      SyntheticModel synthetic(options);
      const FaceModel model(synthetic.source());
      const int d = model.tangentCount(), k = model.identityCount();
      CHECK_EQUAL(d + 1, k);
      Vector latent(k), direction(d), back(d);
      const Vector mean(synthetic.priorMean().begin(), synthetic.priorMean().end());

      const Vector zero(d, 0.0);
      model.latentFromTangent(zero.data(), latent.data(), direction.data());
      CHECK_AT_MOST(distance(latent, mean), 2e-7);  // the mean itself is written in single precision
      CHECK_EQUAL(norm(direction), 0.0);

      for (const double theta : kAngles) {
        if (theta == 0) continue;
        const Scope angle("theta ", theta);
        const Vector v = randomVector(d, theta * model.radius());
        model.latentFromTangent(v.data(), latent.data(), direction.data());
        CHECK_NEAR(norm(latent), 1, 1e-14);
        CHECK_AT_MOST(distance(direction, scaled(v, 1 / norm(v))), 1e-14);
        // The geodesic distance from the mean is |v| / r.
        if (theta < 3.1)
          CHECK_NEAR(std::atan2(distance(latent, mean) / 2, std::sqrt(1 - std::pow(distance(latent, mean) / 2, 2))) * 2,
                     theta, 4e-7);
        const double tolerance = 4e-15 * model.radius() * (1 + 4 / (kPi - theta));
        model.tangentFromLatent(latent.data(), back.data());
        CHECK_AT_MOST(distance(back, v), tolerance);
        // Any vector along the latent stands for it.
        const Vector longer = scaled(latent, 37.5);
        model.tangentFromLatent(longer.data(), back.data());
        CHECK_AT_MOST(distance(back, v), tolerance);
      }
    }
  }
}

CASE(gaussian_latents_are_their_own_coordinates) {
  SyntheticModelOptions options;
  options.side = 5;
  options.spherical = false;
  SyntheticModel synthetic(options);
  const FaceModel model(synthetic.source());
  CHECK_EQUAL(model.tangentCount(), model.identityCount());
  CHECK_EQUAL(model.inverseRadius(), 0.0);
  const int d = model.tangentCount();
  const Vector v = randomVector(d, 4);
  Vector latent(d), direction(d), back(d);
  model.latentFromTangent(v.data(), latent.data(), direction.data());
  model.tangentFromLatent(latent.data(), back.data());
  CHECK(latent == v);
  CHECK(back == v);
  CHECK_NEAR(norm(direction), 1, 1e-15);
}

// gather() speaks chart coordinates: sinc(theta) rows v + r cos(theta) slack must be the shape that the file's latent
// decodes to.
CASE(gathered_rows_give_the_shape_of_the_latent) {
  for (const bool turned : {false, true}) {
    for (const bool slack : {false, true}) {
      const Scope scope("turned ", turned, ", slack ", slack);
      SyntheticModelOptions options;
      options.side = 6;
      options.turned = turned;
      options.slack = slack;
      SyntheticModel synthetic(options);
      const FaceModel model(synthetic.source());
      CHECK_EQUAL(model.hasSlack(), slack);
      const int d = model.tangentCount(), columns = d + 1 + model.expressionCount();
      Vector rows(3 * columns), latent(d + 1), direction(d);
      const SurfacePoint point = {{3, 17, 30}, {0.25f, 0.5f, 0.25f}};
      double mean[3];
      model.gather(point, mean, rows.data());
      for (const double theta : {0.0, 0.2, 1.4, 2.5}) {
        const Vector v = randomVector(d, theta * model.radius());
        model.latentFromTangent(v.data(), latent.data(), direction.data());
        const ChartScalars s = chartScalars(theta);
        for (size_t a = 0; a < 3; ++a) {
          double expected = 0;
          for (int c = 0; c < 3; ++c)
            expected +=
                point.weights[c] * displacement(synthetic, latent, 3 * static_cast<size_t>(point.vertices[c]) + a);
          const double* row = rows.data() + a * columns;
          const double actual = s.sinc * dot(row, v.data(), d) + model.radius() * s.cosine * row[d];
          CHECK_NEAR(actual, expected,
                     1e-4);  // mm: a slack column that is only the rounding of a turned basis is dropped
        }
      }
    }
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
