// What a fit says of a person of whom there are several images: held to dense matrices, and to how the fit's own optimum
// moves with the person.
#include <cmath>
#include <vector>

#include "core/JointEvidence.h"
#include "cpu/CpuBackend.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/Dense.h"
#include "test/EachKernels.h"
#include "test/Scene.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr size_t kD = 5;

SyntheticModelOptions modelOptions(bool general, int nuisances = 0) {
  SyntheticModelOptions options;
  options.tangent = static_cast<int>(kD);
  options.expressions = 4;
  options.correlated = general;
  options.withinIdentity = nuisances;
  return options;
}

size_t at(size_t i, size_t j) { return i * kD + j; }

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, size_t columns = kD) {
  std::vector<double> c(kD * columns);
  for (size_t i = 0; i < kD; ++i)
    for (size_t k = 0; k < kD; ++k)
      for (size_t j = 0; j < columns; ++j) c[i * columns + j] += a[at(i, k)] * b[k * columns + j];
  return c;
}

std::vector<double> transposed(const std::vector<double>& a) {
  std::vector<double> t(kD * kD);
  for (size_t i = 0; i < kD; ++i)
    for (size_t j = 0; j < kD; ++j) t[at(j, i)] = a[at(i, j)];
  return t;
}

std::vector<double> positiveDefinite(Random& random, double least) {
  std::vector<double> root(kD * kD);
  for (double& value : root) value = random.normal();
  std::vector<double> square = product(root, transposed(root));
  for (size_t i = 0; i < kD; ++i) square[at(i, i)] += least;
  return square;
}

struct Link {
  PersonLink link;
  std::vector<double> transfer;
};

// v ~ N(T w, P^-1), at the person w.
Link linkOf(Random& random, const std::vector<double>& w, double least) {
  Link result;
  result.transfer.resize(kD * kD);
  for (double& value : result.transfer) value = 0.5 * random.normal();
  PersonLink& link = result.link;
  link.precision = positiveDefinite(random, least);
  link.coupling = product(link.precision, result.transfer);
  link.person = product(transposed(result.transfer), link.coupling);
  link.mean = product(result.transfer, w, 1);
  return result;
}

std::vector<double> vectorOf(Random& random, double size) {
  std::vector<double> values(kD);
  for (double& value : values) value = size * random.normal();
  return values;
}

struct Evidence {
  double cost;
  std::vector<double> information, gradient;  // packed, [D]
};

// The image's optimum under the link, in double precision, and what it says of the person.
Evidence fitOf(CpuBackend& backend, const Scene& scene, const Observation& observation, const FitOptions& options,
               const PersonLink& link, bool linked, const double* seed = nullptr, int* iterations = nullptr,
               AlignedBuffer<double>* seeds = nullptr) {
  const std::shared_ptr<FitBatch> batch = makeBatch(scene, {observation}, options, false);
  auto joint = std::make_unique<FitBatch::Joint>();
  joint->link = link;
  joint->linked = linked;
  if (seed) joint->seeds.assign(seed, seed + seedSize(scene.scheme->basis));
  batch->joint = std::move(joint);
  batch->precise = true;
  batch->allocate();
  run(backend, batch);
  CHECK(batch->records.data()[kRecordStatus] != static_cast<double>(FitStatus::kFailed));
  if (iterations) *iterations = static_cast<int>(batch->records.data()[kRecordIterations]);
  if (seeds) *seeds = std::move(batch->seeds);
  const size_t triangle = packedTriangle(static_cast<int>(kD));
  const double* evidence = batch->evidence.data();
  return {batch->records.data()[kRecordFinalCost],
          {evidence, evidence + triangle},
          {evidence + triangle, evidence + triangle + kD}};
}

// One pass over an image, in double precision.
Evidence passOf(CpuBackend& backend, const Scene& scene, const Observation& observation, const FitOptions& options,
                const Link& of, const std::vector<double>& w, bool sizeFree, bool relinearise, bool last,
                std::shared_ptr<JointImages>* images) {
  const std::shared_ptr<FitBatch> batch = makeBatch(scene, {observation}, options, false);
  auto joint = std::make_unique<FitBatch::Joint>();
  joint->link = of.link;
  joint->link.mean = product(of.transfer, w, 1);
  joint->linked = true;
  joint->sizeFree = sizeFree;
  joint->pass = FitBatch::Joint::Pass{w, {1}, sizeFree ? 0.5 : 0, *images != nullptr, relinearise, last};
  batch->joint = std::move(joint);
  batch->precise = true;
  batch->images = *images;
  batch->allocate();
  run(backend, batch);
  CHECK(batch->records.data()[kRecordStatus] != static_cast<double>(FitStatus::kFailed));
  *images = batch->images;
  const JointImage& image = batch->images->images[0];
  Evidence evidence{
      batch->records.data()[kRecordFinalCost], std::vector<double>(packedTriangle(static_cast<int>(kD))), {}};
  packLower(static_cast<int>(kD), image.information, evidence.information.data());
  // The shift is S w - g.
  for (size_t i = 0; i < kD; ++i) {
    double sum = -image.shift[i];
    for (size_t j = 0; j < kD; ++j)
      sum += evidence.information[i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i] * w[j];
    evidence.gradient.push_back(sum);
  }
  return evidence;
}

// Passes at one w, until the image is at its optimum.
Evidence settled(CpuBackend& backend, const Scene& scene, const Observation& observation, const FitOptions& options,
                 const Link& of, const std::vector<double>& w, bool sizeFree, std::shared_ptr<JointImages>* images) {
  for (int i = 0; i < 30; ++i) passOf(backend, scene, observation, options, of, w, sizeFree, true, false, images);
  return passOf(backend, scene, observation, options, of, w, sizeFree, true, false, images);
}

FitOptions exactOptions() {
  FitOptions options;
  options.loss = RobustLoss::kSquared;
  options.boundExpression = false;
  options.costTolerance = 1e-15;
  options.maxIterations = 300;
  return options;
}

}  // namespace

// The image's v eliminated from 1/2 (v - v0)^T H (v - v0) + 1/2 (v - T w)^T P (v - T w).
CASE(evidence_is_the_schur_complement_of_the_image) {
  double worst = 0;
  for (const bool general : {false, true}) {
    Scene scene(modelOptions(general), 12);
    for (const bool linked : {false, true}) {
      for (const double weight : {1.0, 2.5}) {
        const Scope scope("general ", general, ", linked ", linked, ", prior ", weight);
        Random& random = scene.random;
        const std::vector<double> w = vectorOf(random, 1), best = vectorOf(random, 1), v = vectorOf(random, 1);
        const Link of = linkOf(random, w, 1);
        const std::vector<double> h = positiveDefinite(random, 0.1);
        // As a solver leaves them, with the prior that the fit had.
        std::vector<double> prior = of.link.precision, mean = of.link.mean;
        if (!linked) {
          prior = scene.model->priorPrecision();
          if (prior.empty()) {
            prior.assign(kD * kD, 0);
            for (size_t i = 0; i < kD; ++i) prior[at(i, i)] = 1;
          }
          for (double& value : prior) value *= weight;
          mean.assign(kD, 0);
        }
        std::vector<double> information, gradient(kD);
        for (size_t i = 0; i < kD; ++i) {
          for (size_t j = 0; j <= i; ++j) information.push_back(h[at(i, j)] + prior[at(i, j)]);
          for (size_t j = 0; j < kD; ++j)
            gradient[i] += h[at(i, j)] * (v[j] - best[j]) + prior[at(i, j)] * (v[j] - mean[j]);
        }
        CHECK(personEvidence(*scene.model, weight, of.link, linked, v.data(), information.data(), gradient.data()));

        std::vector<double> sum = h;
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += of.link.precision[i];
        const std::vector<double> covariance = inverse(sum, static_cast<int>(kD));
        std::vector<double> left = product(of.link.precision, product(covariance, of.link.coupling));
        for (size_t i = 0; i < left.size(); ++i) left[i] = of.link.coupling[i] - left[i];
        const std::vector<double> s = product(transposed(of.transfer), left);
        // The gradient at w: T^T P (T w - v'), v' = (H + P)^-1 (H v0 + P T w).
        std::vector<double> right = product(h, best, 1);
        const std::vector<double> pull = product(of.link.precision, of.link.mean, 1);
        for (size_t i = 0; i < kD; ++i) right[i] += pull[i];
        std::vector<double> off = product(covariance, right, 1);
        for (size_t i = 0; i < kD; ++i) off[i] = of.link.mean[i] - off[i];
        const std::vector<double> g = product(transposed(of.link.coupling), off, 1);
        for (size_t i = 0, next = 0; i < kD; ++i) {
          CHECK_NEAR(gradient[i], g[i], 1e-9);
          worst = std::max(worst, std::fabs(gradient[i] - g[i]));
          for (size_t j = 0; j <= i; ++j, ++next) {
            CHECK_NEAR(information[next], s[at(i, j)], 1e-9);
            worst = std::max(worst, std::fabs(information[next] - s[at(i, j)]));
          }
        }
      }
    }
  }
  note("worst difference ", worst);
}

namespace {

struct Derivatives {
  double worstGradient = 0, worstInformation = 0;

  // Of the optimum's cost by the person, against what `at` says of it nearby.
  template <class At>
  void check(const At& at, const std::vector<double>& w) {
    const Evidence here = at(w);
    constexpr double kStep = 1e-3;
    for (size_t i = 0; i < kD; ++i) {
      std::vector<double> moved = w;
      moved[i] += kStep;
      const Evidence above = at(moved);
      moved[i] -= 2 * kStep;
      const Evidence below = at(moved);
      const double slope = (above.cost - below.cost) / (2 * kStep);
      worstGradient = std::max(worstGradient, std::fabs(here.gradient[i] - slope) / (1 + std::fabs(slope)));
      CHECK_NEAR(here.gradient[i], slope, 1e-3 * (1 + std::fabs(slope)));
      for (size_t j = 0; j <= i; ++j) {
        const double bend = (above.gradient[j] - below.gradient[j]) / (2 * kStep);
        const double told = here.information[i * (i + 1) / 2 + j];
        // Gauss and Newton leave the residuals' own bend out.
        worstInformation = std::max(worstInformation, std::fabs(told - bend) / (1 + std::fabs(bend)));
        CHECK_NEAR(told, bend, 0.1 * (1 + std::fabs(bend)));
      }
    }
  }

  void say() const {
    note("worst relative difference of gradients ", worstGradient, ", of informations ", worstInformation);
  }
};

}  // namespace

// Moves the person and fits again: the optimum's cost changes by the gradient, and the gradient by the information.
CASE(evidence_is_how_the_optimum_moves_with_the_person) {
  CpuBackend backend(*cpuKernels().front(), 1, 100);
  Derivatives derivatives;
  for (const bool general : {false, true}) {
    Scene scene(modelOptions(general, 2), 24);
    for (int face = 0; face < 3; ++face) {
      const Scope scope("general ", general, ", face ", face);
      View view;
      view.noise = 0.3;
      const Observation observation = scene.observation(scene.draw(view), view);
      const std::vector<double> w = vectorOf(scene.random, 0.3);
      const Link of = linkOf(scene.random, w, 4);
      const auto fitAt = [&](const std::vector<double>& person) {
        PersonLink link = of.link;
        link.mean = product(of.transfer, person, 1);
        return fitOf(backend, scene, observation, exactOptions(), link, true);
      };
      derivatives.check(fitAt, w);
    }
  }
  derivatives.say();
}

CASE(a_fit_goes_on_from_where_another_ended) {
  CpuBackend backend(*cpuKernels().front(), 1, 100);
  Scene scene(modelOptions(false), 24);
  FitOptions options;
  options.costTolerance = 1e-9;
  for (int face = 0; face < 4; ++face) {
    const Scope scope("face ", face);
    View view;
    view.yaw = 20.0 * face;
    const Observation observation = scene.observation(scene.draw(view), view);
    const Link of = linkOf(scene.random, vectorOf(scene.random, 0.3), 4);
    int fresh = 0, resumed = 0;
    AlignedBuffer<double> seeds;
    const Evidence first = fitOf(backend, scene, observation, options, of.link, true, nullptr, &fresh, &seeds);
    const Evidence again = fitOf(backend, scene, observation, options, of.link, true, seeds.data(), &resumed);
    CHECK_NEAR(again.cost, first.cost, 1e-6 * first.cost);
    CHECK_AT_MOST(resumed, 2);
    CHECK(fresh > resumed);
    for (size_t i = 0; i < kD; ++i) CHECK_NEAR(again.gradient[i], first.gradient[i], 1e-2);
  }
}

// Passes lead to where a fit ends, and say of the person what the fit does. On the sphere they see its bend as well.
CASE(passes_lead_to_the_optimum) {
  CpuBackend backend(*cpuKernels().front(), 1, 100);
  double worstCost = 0, worstGradient = 0, worstInformation = 0;
  for (const bool spherical : {false, true}) {
    SyntheticModelOptions of = modelOptions(true, 2);
    of.spherical = spherical;
    Scene scene(of, 24);
    for (int face = 0; face < 4; ++face) {
      const Scope scope("spherical ", spherical, ", face ", face);
      View view;
      view.noise = 0.3;
      const Observation observation = scene.observation(scene.draw(view), view);
      const std::vector<double> w = vectorOf(scene.random, 0.3);
      const Link link = linkOf(scene.random, w, 4);
      const Evidence fitted = fitOf(backend, scene, observation, exactOptions(), link.link, true);
      std::shared_ptr<JointImages> images;
      // From another person, by the normal matrices of there.
      std::vector<double> other = w;
      for (double& value : other) value += 0.2;
      passOf(backend, scene, observation, exactOptions(), link, other, false, true, false, &images);
      const Evidence seen = settled(backend, scene, observation, exactOptions(), link, w, false, &images);
      worstCost = std::max(worstCost, std::fabs(seen.cost - fitted.cost));
      CHECK_NEAR(seen.cost, fitted.cost, 1e-5 * (1 + fitted.cost));
      for (size_t i = 0, at = 0; i < kD; ++i) {
        worstGradient = std::max(worstGradient, std::fabs(seen.gradient[i] - fitted.gradient[i]));
        CHECK_NEAR(seen.gradient[i], fitted.gradient[i], 1e-3);
        for (size_t j = 0; j <= i; ++j, ++at) {
          if (spherical) continue;
          worstInformation = std::max(worstInformation, std::fabs(seen.information[at] - fitted.information[at]));
          CHECK_NEAR(seen.information[at], fitted.information[at], 1e-3 * (1 + std::fabs(fitted.information[at])));
        }
      }
    }
  }
  note("worst difference of costs ", worstCost, ", gradients ", worstGradient, ", informations ", worstInformation);
}

// With the scale's part of the priors, from which the cost is measured at the scale of the first pass.
CASE(passes_know_how_the_optimum_moves_with_the_person) {
  CpuBackend backend(*cpuKernels().front(), 1, 100);
  Derivatives derivatives;
  for (const bool sizeFree : {false, true}) {
    Scene scene(modelOptions(true, 2), 24);
    for (int face = 0; face < 3; ++face) {
      const Scope scope("size free ", sizeFree, ", face ", face);
      View view;
      view.noise = 0.3;
      const Observation observation = scene.observation(scene.draw(view), view);
      const std::vector<double> w = vectorOf(scene.random, 0.3);
      const Link link = linkOf(scene.random, w, 4);
      std::shared_ptr<JointImages> images;
      const auto at = [&](const std::vector<double>& person) {
        return settled(backend, scene, observation, exactOptions(), link, person, sizeFree, &images);
      };
      derivatives.check(at, w);
    }
  }
  derivatives.say();
}

// In every instruction set, and on the way as well as at the end.
CASE(passes_in_single_precision_lead_to_the_same_optimum) {
  for (const CpuKernels* kernels : cpuKernels()) {
    CpuBackend backend(*kernels, 1, 100);
    SyntheticModelOptions of = modelOptions(true, 2);
    of.tangent = static_cast<int>(kD);
    Scene scene(of, 24);
    View view;
    view.noise = 2;
    const Observation observation = scene.observation(scene.draw(view), view);
    const std::vector<double> w = vectorOf(scene.random, 0.3);
    const Link link = linkOf(scene.random, w, 4);
    std::vector<double> costs;
    for (const bool precise : {false, true}) {
      const Scope scope(kernels->name, ", precise ", precise);
      std::shared_ptr<JointImages> images;
      for (int pass = 0; pass < 8; ++pass) {
        const std::shared_ptr<FitBatch> batch = makeBatch(scene, {observation}, FitOptions(), false);
        auto joint = std::make_unique<FitBatch::Joint>();
        joint->link = link.link;
        joint->linked = joint->sizeFree = true;
        // Every other pass makes do with the normal matrix of the one before.
        joint->pass = FitBatch::Joint::Pass{w, {1}, 0.5, pass > 1, pass % 2 == 0, pass == 7};
        batch->joint = std::move(joint);
        batch->precise = precise;
        batch->images = images;
        batch->allocate();
        run(backend, batch);
        CHECK(batch->records.data()[kRecordStatus] == static_cast<double>(FitStatus::kConverged));
        images = batch->images;
        if (pass < 7) continue;
        costs.push_back(batch->records.data()[kRecordFinalCost]);
        CHECK(batch->records.data()[kRecordUsable] == 1);
        CHECK(batch->records.data()[kRecordUncertainty] > 0);
      }
    }
    CHECK_NEAR(costs[0], costs[1], 2e-3 * costs[1]);
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
