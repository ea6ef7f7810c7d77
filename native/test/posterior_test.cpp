// The posterior that fits report, held to the definitions of Gaussian probability in plain dense matrices: what the
// marginal covariance of the landmarks says of the identity, and how likely two faces are one person's.
#include <algorithm>
#include <cmath>
#include <vector>

#include "test/Check.h"
#include "test/Dense.h"
#include "test/EachKernels.h"
#include "test/Scene.h"

using namespace sfm;
using namespace sfm::test;

namespace {

// A dense matrix, row by row.
struct Dense {
  Dense(size_t r, size_t c) : rows(r), columns(c), values(r * c) {}
  double& operator()(size_t i, size_t j) { return values[i * columns + j]; }
  double operator()(size_t i, size_t j) const { return values[i * columns + j]; }
  size_t rows, columns;
  std::vector<double> values;
};

Dense transposed(const Dense& a) {
  Dense t(a.columns, a.rows);
  for (size_t i = 0; i < a.rows; ++i)
    for (size_t j = 0; j < a.columns; ++j) t(j, i) = a(i, j);
  return t;
}

Dense operator*(const Dense& a, const Dense& b) {
  Dense product(a.rows, b.columns);
  for (size_t i = 0; i < a.rows; ++i)
    for (size_t k = 0; k < a.columns; ++k)
      for (size_t j = 0; j < b.columns; ++j) product(i, j) += a(i, k) * b(k, j);
  return product;
}

Dense operator+(const Dense& a, const Dense& b) {
  Dense sum = a;
  for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += b.values[i];
  return sum;
}

Dense identity(size_t n) {
  Dense one(n, n);
  for (size_t i = 0; i < n; ++i) one(i, i) = 1;
  return one;
}

Dense inverted(const Dense& a) {
  Dense b(a.rows, a.rows);
  b.values = inverse(a.values, static_cast<int>(a.rows));
  return b;
}

// By Gaussian elimination of a symmetric positive definite matrix.
double logDeterminant(Dense a) {
  double sum = 0;
  for (size_t k = 0; k < a.rows; ++k) {
    sum += std::log(a(k, k));
    for (size_t i = k + 1; i < a.rows; ++i)
      for (size_t j = k + 1; j < a.rows; ++j) a(i, j) -= a(i, k) * a(k, j) / a(k, k);
  }
  return sum;
}

double logNormal(const Dense& y, const Dense& covariance) {
  return -0.5 * ((transposed(y) * inverted(covariance) * y).values[0] + logDeterminant(covariance) +
                 static_cast<double>(y.rows) * std::log(6.28318530717958647692));
}

Dense information(const Fitted& fitted, size_t d) {
  Dense s(d, d);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j <= i; ++j) s(i, j) = s(j, i) = fitted.informations[i * (i + 1) / 2 + j];
  return s;
}

Dense shift(const Fitted& fitted) {
  Dense h(fitted.shifts.size(), 1);
  h.values = fitted.shifts;
  return h;
}

// log of the integral of N(x; 0, I) exp(h^T x - 1/2 x^T S x): f(S, h) of docs/fitting.md.
double logEvidence(const Dense& s, const Dense& h) {
  const Dense precision = identity(s.rows) + s;
  return 0.5 * (transposed(h) * inverted(precision) * h).values[0] - 0.5 * logDeterminant(precision);
}

// The landmarks of a fit as a linear function of its unknowns, y = X x + O o + noise, x the whitened identity.
struct LinearProblem {
  Dense x, others;     // [rows, D], [rows, others]
  Dense priors;        // [others, others] covariance
  Dense y;             // [rows, 1] with the unknowns' own share put back
  Dense noise;         // [rows, rows] covariance
  Dense marginal() const { return noise + others * priors * transposed(others); }
};

LinearProblem linearised(const Scene& scene, const Fitted& fitted, const FitProblem& problem, const FitOptions& options,
                         bool scan, bool focal) {
  const FaceModel& model = *scene.model;
  const size_t d = static_cast<size_t>(model.tangentCount()), n = static_cast<size_t>(scene.coordinates(focal)),
               dimensions = scan ? 3 : 2, rows = dimensions * scene.factors.size();
  const Face face = scene.faceOf(fitted);
  std::vector<double> v(d);
  model.tangentFromLatent(face.latent.data(), v.data());
  Dense factor = identity(d);
  if (!model.priorFactor().empty()) factor.values = model.priorFactor();
  const Dense toWhitened = inverted(factor);

  // The unknowns besides v that are not known: the pose (all but flat priors), nuisances, expressions off their bounds.
  std::vector<size_t> columns;
  std::vector<double> variances, values;
  for (size_t c = d; c < n; ++c) {
    const size_t nuisances = static_cast<size_t>(scene.nuisanceStart(focal)),
                 expressions = static_cast<size_t>(scene.expressionStart(focal));
    if (c < nuisances) {
      // As good as flat: radians and a log of scale, or mm.
      const bool isLength = c >= d + 3 && !(options.weakPerspective && c == d + 5);
      values.push_back(0);
      variances.push_back(isLength ? 1e9 : 1e4);
      if (c == d + 6) {
        values.back() = std::log(face.focal / (1.2 * problem.imageSize));
        variances.back() = std::pow(options.focalStddev, 2);
      }
    } else if (c < expressions) {
      values.push_back(face.nuisances[c - nuisances]);
      variances.push_back(1);
    } else {
      const size_t e = c - expressions;
      if (fitted.linear.bounds[e] != 0) continue;
      values.push_back(face.expression[e]);
      variances.push_back(std::pow(model.expressionStddev()[e], 2) / options.expressionPrior);
    }
    columns.push_back(c);
  }

  LinearProblem linear{Dense(rows, d), Dense(rows, columns.size()), Dense(columns.size(), columns.size()),
                       Dense(rows, 1), Dense(rows, rows)};
  const std::vector<double> predicted = scene.observe(face, scan);
  const auto derivative = [&](size_t c) {
    std::vector<double> step(n);
    constexpr double kStep = 1e-4;
    step[c] = kStep;
    std::vector<double> high = scene.observe(scene.moved(face, step, focal), scan);
    step[c] = -kStep;
    const std::vector<double> low = scene.observe(scene.moved(face, step, focal), scan);
    for (size_t i = 0; i < rows; ++i) high[i] = (high[i] - low[i]) / (2 * kStep);
    return high;
  };
  Dense byTangent(rows, d);
  for (size_t c = 0; c < d; ++c) {
    const std::vector<double> column = derivative(c);
    for (size_t i = 0; i < rows; ++i) byTangent(i, c) = column[i];
  }
  linear.x = byTangent * factor;
  for (size_t c = 0; c < columns.size(); ++c) {
    const std::vector<double> column = derivative(columns[c]);
    for (size_t i = 0; i < rows; ++i) linear.others(i, c) = column[i];
    linear.priors(c, c) = variances[c];
  }
  for (size_t i = 0; i < rows; ++i) {
    linear.noise(i, i) = std::pow(problem.noise * scene.factors[i / dimensions], 2);
    linear.y(i, 0) = problem.points[i] - predicted[i];
    for (size_t c = 0; c < d; ++c) linear.y(i, 0) += byTangent(i, c) * v[c];
    for (size_t c = 0; c < columns.size(); ++c) linear.y(i, 0) += linear.others(i, c) * values[c];
  }
  return linear;
}

struct Kind {
  const char* name;
  SyntheticModelOptions model;
  View view;
  bool focal = false, bounded = false;
};

std::vector<Kind> kinds() {
  SyntheticModelOptions sphere, correlated, gaussian;
  sphere.tangent = correlated.tangent = gaussian.tangent = 9;
  sphere.expressions = correlated.expressions = gaussian.expressions = 5;
  sphere.upperBound = correlated.upperBound = 0.25f;  // where they are to be bounded at all
  correlated.correlated = correlated.turned = true;
  correlated.withinIdentity = 3;
  correlated.correlatedNoise = 2;
  gaussian.spherical = false;
  gaussian.correlatedNoise = 4;
  View perspective, weak, scan;
  perspective.noise = 2;
  perspective.yaw = 20;
  weak = scan = perspective;
  weak.weak = true;
  scan.scan = true;
  return {{"sphere, scan", sphere, scan},
          {"sphere, perspective, bounded", sphere, perspective, false, true},
          {"sphere, focal estimated", sphere, perspective, true},
          {"general prior, nuisances, scan, bounded", correlated, scan, false, true},
          {"general prior, nuisances, weak", correlated, weak},
          {"general prior, nuisances, focal estimated, bounded", correlated, perspective, true, true},
          {"gaussian, correlated noise, scan", gaussian, scan},
          {"gaussian, correlated noise, perspective", gaussian, perspective}};
}

FitOptions optionsOf(const Kind& kind) {
  FitOptions options;
  options.loss = RobustLoss::kSquared;
  options.boundExpression = kind.bounded;
  options.weakPerspective = kind.view.weak;
  options.costTolerance = 1e-14;
  options.maxIterations = 200;
  return options;
}

double difference(const Dense& a, const Dense& b) {
  double largest = 0, size = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    largest = std::max(largest, std::fabs(a.values[i] - b.values[i]));
    size = std::max(size, std::fabs(b.values[i]));
  }
  return largest / size;
}

}  // namespace

// S = X^T M^-1 X and h = X^T M^-1 y for landmarks that are N(X x, M) once all else has been integrated out.
CASE(posterior_is_what_the_marginal_of_the_landmarks_says) {
  double worst = 0;
  int held = 0;
  for (const Kind& kind : kinds()) {
    Scene scene(kind.model, 24, true);
    const FitOptions options = optionsOf(kind);
    for (int i = 0; i < 3; ++i) {
      const Scope scope(kind.name, ", face ", i);
      Observation observation = scene.observation(scene.draw(kind.view), kind.view);
      if (kind.focal) observation.problem.focal = kUnknown;
      const FitProblem& problem = observation.view();
      const Fitted fitted = scene.fit(nullptr, problem, options, kind.view.scan);
      CHECK(fitted.usable);
      for (const double bound : fitted.linear.bounds) held += bound != 0;
      const LinearProblem linear = linearised(scene, fitted, problem, options, kind.view.scan, kind.focal);
      const Dense weighed = transposed(linear.x) * inverted(linear.marginal());
      const size_t d = linear.x.columns;
      const double s = difference(information(fitted, d), weighed * linear.x),
                   h = difference(shift(fitted), weighed * linear.y);
      worst = std::max({worst, s, h});
      CHECK_AT_MOST(s, 1e-5);
      CHECK_AT_MOST(h, 1e-5);
    }
  }
  CHECK(held > 10);
  note("worst relative difference ", worst, "; ", held, " expressions at a bound");
}

// log p(y1, y2 | one person) - log p(y1) - log p(y2), each the density of a normal distribution.
CASE(likelihood_ratio_is_that_of_the_landmarks_densities) {
  double worst = 0;
  for (const Kind& kind : kinds()) {
    Scene scene(kind.model, 24, true);
    const FitOptions options = optionsOf(kind);
    const Face person = scene.draw(kind.view);
    for (const bool same : {true, false}) {
      const Scope scope(kind.name, ", same ", same);
      Face second = scene.draw(kind.view);
      if (same) second.latent = person.latent;
      const auto fit = [&](const Face& face) {
        Observation observation = scene.observation(face, kind.view);
        if (kind.focal) observation.problem.focal = kUnknown;
        const FitProblem& problem = observation.view();
        const Fitted fitted = scene.fit(nullptr, problem, options, kind.view.scan);
        CHECK(fitted.usable);
        const size_t d = fitted.shifts.size();
        return std::tuple(linearised(scene, fitted, problem, options, kind.view.scan, kind.focal),
                          information(fitted, d), shift(fitted));
      };
      const auto [one, s1, h1] = fit(person);
      const auto [two, s2, h2] = fit(second);
      const double ratio = logEvidence(s1 + s2, h1 + h2) - logEvidence(s1, h1) - logEvidence(s2, h2);

      const Dense c1 = one.marginal() + one.x * transposed(one.x), c2 = two.marginal() + two.x * transposed(two.x),
                  shared = one.x * transposed(two.x);
      const size_t n1 = one.y.rows, n2 = two.y.rows;
      Dense both(n1 + n2, n1 + n2), y(n1 + n2, 1);
      for (size_t i = 0; i < n1 + n2; ++i) {
        y(i, 0) = i < n1 ? one.y(i, 0) : two.y(i - n1, 0);
        for (size_t j = 0; j < n1 + n2; ++j)
          both(i, j) =
              i < n1 ? (j < n1 ? c1(i, j) : shared(i, j - n1)) : (j < n1 ? shared(j, i - n1) : c2(i - n1, j - n1));
      }
      const double expected = logNormal(y, both) - logNormal(one.y, c1) - logNormal(two.y, c2);
      worst = std::max(worst, std::fabs(ratio - expected) / (1 + std::fabs(expected)));
      CHECK_NEAR(ratio, expected, 1e-5 * (1 + std::fabs(expected)));
    }
  }
  note("worst difference, relative to 1 + |ratio|, ", worst);
}

// What the optimum says: h = (p I + S) x, p the prior's weight in the fit.
CASE(shift_leads_back_to_the_fit) {
  for (const Kind& kind : kinds()) {
    for (const double weight : {1.0, 2.5}) {
      const Scope scope(kind.name, ", prior ", weight);
      Scene scene(kind.model, 24);
      FitOptions options;
      options.identityPrior = weight;
      options.weakPerspective = kind.view.weak;
      Observation observation = scene.observation(scene.draw(kind.view), kind.view);
      for (const CpuKernels* kernels : cpuKernels()) {
        const Fitted fitted = scene.fit(kernels, observation.view(), options, kind.view.scan);
        CHECK(fitted.usable);
        const size_t d = fitted.shifts.size();
        Dense precision = information(fitted, d);
        for (size_t i = 0; i < d; ++i) precision(i, i) += weight;
        const Dense x = inverted(precision) * shift(fitted);
        std::vector<double> latent(static_cast<size_t>(scene.model->identityCount())), direction(d);
        scene.model->latentFromWhitened(x.values.data(), latent.data(), direction.data());
        for (size_t i = 0; i < d; ++i) CHECK_NEAR(direction[i], fitted.embedding[i], 2e-5);
        for (size_t i = 0; i < latent.size(); ++i) CHECK_NEAR(latent[i], fitted.identity[i], 2e-5);
      }
    }
  }
}

// Single precision sees the same evidence, at the sizes of real models and through the robust loss.
CASE(every_instruction_set_reports_the_reference_s_posterior) {
  SyntheticModelOptions modelOptions;
  modelOptions.tangent = 100;
  modelOptions.expressions = 53;
  modelOptions.withinIdentity = 20;
  double worst = 0, worstRatio = 0;
  for (const int landmarks : {68, 478}) {
    for (const bool correlated : {false, true}) {
      modelOptions.correlated = correlated;
      Scene scene(modelOptions, landmarks);
      View view;
      view.noise = 2;
      const Face person = scene.draw(view);
      std::vector<Observation> observations;
      for (int i = 0; i < 2; ++i) observations.push_back(scene.observation(person, view));
      FitOptions options;
      options.costTolerance = 1e-9;
      const auto evidence = [&](const Fitted& fitted) { return logEvidence(information(fitted, 100), shift(fitted)); };
      const auto ratio = [&](const Fitted& a, const Fitted& b) {
        return logEvidence(information(a, 100) + information(b, 100), shift(a) + shift(b)) - evidence(a) - evidence(b);
      };
      const Fitted one = scene.fit(nullptr, observations[0].view(), options),
                   two = scene.fit(nullptr, observations[1].view(), options);
      for (const CpuKernels* kernels : cpuKernels()) {
        const Scope scope(kernels->name, ", ", landmarks, " landmarks, general prior ", correlated);
        const Fitted first = scene.fit(kernels, observations[0].view(), options),
                     second = scene.fit(kernels, observations[1].view(), options);
        for (size_t i = 0; i < 100; ++i)
          for (size_t j = 0; j <= i; ++j) {
            const Dense s = information(one, 100);
            const double size = std::sqrt((1 + s(i, i)) * (1 + s(j, j)));
            const double d = std::fabs(first.informations[i * (i + 1) / 2 + j] - s(i, j)) / size;
            worst = std::max(worst, d);
            CHECK_AT_MOST(d, 2e-3);
          }
        const double expected = ratio(one, two), found = ratio(first, second);
        worstRatio = std::max(worstRatio, std::fabs(found - expected));
        CHECK_NEAR(found, expected, 2e-3 * (1 + std::fabs(expected)));
      }
    }
  }
  note("worst relative difference of the information ", worst, ", difference of the log-likelihood ratio ", worstRatio);
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
