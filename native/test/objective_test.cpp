// The objective of a fit and its derivatives, reached from inside the solver: gradient and Gauss-Newton matrix against
// finite differences, the cost against its definition, the posterior against the inverse of the whole normal matrix.
#include "cpu/FitSolver.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cpu/kernels/ReferenceLinear.h"
#include "test/Check.h"
#include "test/Dense.h"
#include "test/Scene.h"

namespace sfm {
namespace {

// The double-precision solver with its steps laid open.
struct FitSolverProbe {
  using Solver = FitSolver<ReferenceKernels>;

  FitSolverProbe(const test::Scene& scene, const FitOptions& o, bool scan)
      : options(o),
        workspace(scene.basis()),
        solver(*scene.model, scene.basis(), options, scan ? ObservationSpace::kScan : ObservationSpace::kImage,
               workspace) {}
  // All that comes before the first iteration, and then the loss as it is in the end.
  FitFailure begin(const FitProblem& problem, FitSolution& solution) {
    solver.problem_ = &problem;
    solver.clear(solution);
    FitFailure failure = solver.selectLandmarks();
    if (failure == FitFailure::kNone) failure = solver.start();
    solver.current_ = 0;
    solver.objective_ = {options.loss, 1};
    return failure;
  }
  // The factor on every sigma.
  void setBlur(double blur) { solver.objective_.blur = blur; }
  // Leaves the state at the optimum, with its nuisances.
  void solve(const FitProblem& problem, FitSolution& solution) {
    solver.settles_ = false;
    solver.solve(problem, solution);
  }

  FitState<double>& state() { return workspace.states[solver.current_]; }
  int unknowns() const { return solver.unknowns(); }
  int poseStart() const { return solver.poseStart(); }
  int nuisanceColumn() const { return solver.nuisanceColumn(); }
  int expressionColumn() const { return solver.expressionColumn(); }
  int activeCount() const { return solver.activeCount_; }

  // The cost and the residuals a step away.
  double costAt(int unknown, double step) {
    for (int i = 0; i < workspace.ld; ++i) workspace.step[i] = 0;
    workspace.step[unknown] = step;
    solver.retract(state(), 1, workspace.states[1 - solver.current_]);
    FitEvaluation<double>& there = workspace.evaluations[1 - solver.current_];
    if (!solver.evaluate(workspace.states[1 - solver.current_], there)) return NAN;
    return solver.cost(workspace.states[1 - solver.current_], there);
  }
  const double* residualsAt(int unknown, double step) {
    costAt(unknown, step);
    return workspace.evaluations[1 - solver.current_].residual.data();
  }
  bool inFront() { return solver.evaluate(state(), workspace.evaluations[solver.current_]); }
  const FitEvaluation<double>& evaluate() {
    solver.evaluate(state(), workspace.evaluations[solver.current_]);
    return workspace.evaluations[solver.current_];
  }
  double cost() { return solver.cost(state(), workspace.evaluations[solver.current_]); }
  void linearise() {
    evaluate();
    solver.linearise(state(), workspace.evaluations[solver.current_]);
  }
  // The system about the first identities and nuisances only.
  void restrictTo(int identities, int nuisances) { solver.part_ = {identities, nuisances}; }
  double gradient(int i) const { return workspace.gradient[i]; }
  double hessian(int i, int j) const {
    return workspace.hessian[static_cast<size_t>(std::min(i, j)) * workspace.ld + std::max(i, j)];
  }

  const FitOptions options;
  FitWorkspace<double> workspace;
  Solver solver;
};

}  // namespace
}  // namespace sfm

using namespace sfm;
using namespace sfm::test;

namespace {

struct Setting {
  const char* name;
  SyntheticModelOptions model;
  View view;
  FitOptions options;
  bool estimateFocal = false;
};

SyntheticModelOptions small(bool spherical, bool slack = false, bool correlated = false, bool turned = false) {
  SyntheticModelOptions options;
  options.tangent = 7;
  options.expressions = 4;
  options.spherical = spherical;
  options.slack = slack;
  options.correlated = correlated;
  options.turned = turned;
  options.expressionMean = correlated ? 0.2f : 0;
  return options;
}

// Every kind of camera, of space, of model and of loss.
std::vector<Setting> settings() {
  std::vector<Setting> list;
  View perspective, weak, scan;
  perspective.yaw = 25;
  perspective.pitch = -10;
  perspective.roll = 12;
  perspective.noise = 3;
  weak = scan = perspective;
  weak.weak = true;
  scan.scan = true;
  scan.noise = 2;
  SyntheticModelOptions nuisances = small(true, false, true), noise = small(false);
  nuisances.withinIdentity = 3;
  nuisances.correlatedNoise = 2;
  nuisances.half = true;
  noise.correlatedNoise = 5;
  noise.expressions = 0;
  const SyntheticModelOptions models[] = {
      small(true), small(false), small(true, true), small(true, false, true), small(true, true, true, true),
      nuisances,   noise};
  const char* names[] = {"sphere",
                         "gaussian",
                         "slack",
                         "general prior",
                         "general prior, slack, turned",
                         "general prior, nuisances",
                         "gaussian, correlated noise, no expressions"};
  for (size_t m = 0; m < std::size(models); ++m) {
    for (const RobustLoss loss : {RobustLoss::kSquared, RobustLoss::kStudentT}) {
      FitOptions options;
      options.loss = loss;
      options.boundExpression = false;
      options.identityPrior = 1.3;
      options.expressionPrior = 0.7;
      list.push_back({names[m], models[m], perspective, options});
      list.push_back({names[m], models[m], perspective, options, true});
      list.push_back({names[m], models[m], scan, options});
      options.weakPerspective = true;
      list.push_back({names[m], models[m], weak, options});
    }
  }
  return list;
}

// A problem set up in the solver, at a state away from every stationary point.
class Bench {
 public:
  explicit Bench(const Setting& setting, int landmarks = 23)
      : scene(setting.model, landmarks, true),
        scope_(setting.name, ", ",
               setting.view.scan
                   ? "scan"
                   : (setting.view.weak ? "weak" : (setting.estimateFocal ? "focal estimated" : "focal given")),
               setting.options.loss == RobustLoss::kSquared ? ", squared" : ", Student-t"),
        probe(scene, setting.options, setting.view.scan),
        solution_(*scene.model, scene.basis()) {
    observation_ = scene.observation(scene.draw(setting.view), setting.view);
    if (setting.estimateFocal) observation_.problem.focal = kUnknown;
    observation_.confidence.assign(static_cast<size_t>(landmarks), 1.0f);
    observation_.confidence[3] = 0.25f;
    observation_.confidence[4] = 0;  // missing
    observation_.points[11] = kUnknown;  // so is the one with this coordinate
    CHECK_EQUAL(probe.begin(observation_.view(), solution_), FitFailure::kNone);
    CHECK_EQUAL(probe.activeCount(), landmarks - 2);
    FitState<double>& state = probe.state();
    for (int i = 0; i < scene.model->tangentCount(); ++i) state.latents[i] = 0.8 * scene.random.normal();
    for (int i = 0; i < scene.model->expressionCount(); ++i)
      state.latents[scene.basis().expressionStart + i] = 0.3 * scene.random.normal();
    for (int i = 0; i < scene.basis().nuisanceCount; ++i)
      state.latents[scene.basis().nuisanceStart + i] = scene.random.normal();
    state.camera.logFocal += setting.estimateFocal ? 0.2 : 0;
    state.camera.logScale += 0.03;
    state.camera.p += 4;
    state.translation[1] -= 3;
  }

  Scene scene;

 private:
  Scope scope_;

 public:
  FitSolverProbe probe;

 private:
  Observation observation_;
  Fitted solution_;
};

// Central differences of fourth order: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h.
constexpr double kStep = 2e-4;

template <class Function>
double derivative(Function f) {
  return (8 * (f(kStep) - f(-kStep)) - (f(2 * kStep) - f(-2 * kStep))) / (12 * kStep);
}

// d(residual)/d(unknown) for all components of all landmarks in use.
std::vector<double> residualDerivative(FitSolverProbe& probe, int unknown) {
  const size_t size = 3 * static_cast<size_t>(probe.activeCount());
  std::vector<double> sum(size);
  const double steps[4] = {kStep, -kStep, 2 * kStep, -2 * kStep}, factors[4] = {8, -8, -1, 1};
  for (int s = 0; s < 4; ++s) {
    const double* r = probe.residualsAt(unknown, steps[s]);
    for (size_t i = 0; i < size; ++i) sum[i] += factors[s] * r[i] / (12 * kStep);
  }
  return sum;
}

// The matrix of second derivatives of the objective but for the curvature of the residuals: sum_i w_i J_i^T B_i J_i
// and the priors', where B_i follows the loss's bend along the residual, rho' + 2 q rho'' instead of rho', down to a
// floor that keeps it positive.
std::vector<double> normalMatrix(FitSolverProbe& probe, const Scene& scene, bool scan, bool estimateFocal) {
  const int n = probe.unknowns(), d = scene.model->tangentCount();
  std::vector<std::vector<double>> columns;
  for (int c = 0; c < n; ++c) columns.push_back(residualDerivative(probe, c));
  const FitEvaluation<double>& at = probe.evaluate();
  const double nu = probe.options.degreesOfFreedom, components = scan ? 3 : 2;
  std::vector<double> h(static_cast<size_t>(n) * n);
  for (size_t i = 0; i < static_cast<size_t>(probe.activeCount()); ++i) {
    const double q = at.squared[i], inverseVariance = probe.workspace.inverseVariance[i];
    const bool robust = probe.options.loss == RobustLoss::kStudentT;
    const double first = robust ? (nu + components) / (nu + q) : 1,
                 second = robust ? -(nu + components) / ((nu + q) * (nu + q)) : 0;
    const double bend = std::max(1 + 2 * q * second / first, robust ? kLeastBend : 0);
    double squared = 0;
    for (size_t c = 3 * i; c < 3 * i + 3; ++c) squared += at.residual[c] * at.residual[c];
    for (int a = 0; a < n; ++a)
      for (int b = 0; b < n; ++b) {
        double product = 0, left = 0, right = 0;
        for (size_t c = 3 * i; c < 3 * i + 3; ++c) {
          product += columns[a][c] * columns[b][c];
          left += columns[a][c] * at.residual[c];
          right += columns[b][c] * at.residual[c];
        }
        h[static_cast<size_t>(a) * n + b] += first * inverseVariance * (product - (1 - bend) / squared * left * right);
      }
  }
  const std::vector<double>& precision = scene.model->priorPrecision();
  for (int a = 0; a < d; ++a)
    for (int b = 0; b < d; ++b)
      h[static_cast<size_t>(a) * n + b] +=
          probe.options.identityPrior *
          (precision.empty() ? (a == b ? 1 : 0) : precision[static_cast<size_t>(a) * d + b]);
  for (int i = probe.nuisanceColumn(); i < probe.expressionColumn(); ++i) h[static_cast<size_t>(i) * n + i] += 1;
  for (int e = 0; e < scene.model->expressionCount(); ++e) {
    const int i = probe.expressionColumn() + e;
    h[static_cast<size_t>(i) * n + i] +=
        probe.options.expressionPrior / std::pow(scene.model->expressionStddev()[e], 2);
  }
  if (estimateFocal) {
    const int i = probe.poseStart() + 6;
    h[static_cast<size_t>(i) * n + i] += 1 / std::pow(probe.options.focalStddev, 2);
  }
  return h;
}

void checkGradient(FitSolverProbe& probe, double* worst) {
  probe.linearise();
  std::vector<double> gradient;
  double largest = 0;
  for (int i = 0; i < probe.unknowns(); ++i) {
    gradient.push_back(probe.gradient(i));
    largest = std::max(largest, std::fabs(gradient.back()));
  }
  for (int i = 0; i < probe.unknowns(); ++i) {
    const Scope scope("unknown ", i, " of ", probe.unknowns());
    const double expected = derivative([&](double h) { return probe.costAt(i, h); });
    const double relative = std::fabs(gradient[i] - expected) / (std::fabs(expected) + 1e-4 * largest);
    *worst = std::max(*worst, relative);
    CHECK_AT_MOST(relative, 1e-5);
  }
}

}  // namespace

CASE(gradient_agrees_with_finite_differences) {
  double worst = 0;
  for (const Setting& setting : settings()) {
    for (const double blur : {1.0, 3.0}) {
      Bench bench(setting);
      bench.probe.setBlur(blur);
      checkGradient(bench.probe, &worst);
    }
  }
  note("worst relative difference ", worst);
}

CASE(normal_matrix_agrees_with_finite_differences) {
  double worst = 0;
  for (const Setting& setting : settings()) {
    Bench bench(setting);
    FitSolverProbe& probe = bench.probe;
    const std::vector<double> expected = normalMatrix(probe, bench.scene, setting.view.scan, setting.estimateFocal);
    probe.linearise();
    const int n = probe.unknowns();
    for (int a = 0; a < n; ++a)
      for (int b = a; b < n; ++b) {
        const double size =
            std::sqrt(expected[static_cast<size_t>(a) * n + a] * expected[static_cast<size_t>(b) * n + b]);
        const double relative = std::fabs(probe.hessian(a, b) - expected[static_cast<size_t>(a) * n + b]) / size;
        worst = std::max(worst, relative);
        const Scope scope("entry ", a, ", ", b);
        CHECK_AT_MOST(relative, 1e-7);
      }
  }
  note("worst relative difference ", worst);
}

// The far side of the chart, where every term of its derivative counts.
CASE(gradient_holds_far_from_the_mean) {
  for (const Setting& setting : settings()) {
    if (!setting.model.spherical) continue;
    Bench bench(setting);
    FitSolverProbe& probe = bench.probe;
    const double theta = setting.model.slack ? 2.5 : 1.5, radius = bench.scene.model->radius();
    const int d = bench.scene.model->tangentCount();
    double* v = probe.state().latents.data();
    const double norm = std::sqrt(squaredNorm(v, d));
    for (int i = 0; i < d; ++i) v[i] *= theta * radius / norm;
    double worst = 0;
    checkGradient(probe, &worst);
  }
}

// What a fit reports as its cost is the objective at what it reports as its solution.
CASE(cost_is_what_its_definition_says) {
  double worst = 0;
  for (const Setting& setting : settings()) {
    Scene scene(setting.model, 40, true);
    for (int i = 0; i < 3; ++i) {
      Observation observation = scene.observation(scene.draw(setting.view), setting.view);
      if (setting.estimateFocal) observation.problem.focal = kUnknown;
      observation.points[7] = kUnknown;
      observation.confidence.assign(40, 0.5f);
      const FitProblem& problem = observation.view();
      const Fitted fitted = scene.fit(nullptr, problem, setting.options, setting.view.scan);
      CHECK(fitted.usable);
      const double expected = scene.objective(scene.faceOf(fitted), setting.options, problem, setting.view.scan);
      const double relative = std::fabs(fitted.finalCost - expected) / expected;
      worst = std::max(worst, relative);
      // The solution's latents and expressions are rounded to single precision, and so are the model's rows within.
      CHECK_AT_MOST(relative, 1e-5);
      CHECK(fitted.finalCost < fitted.initialCost);
    }
  }
  note("worst relative difference ", worst);
}

// Also where the iterations run out, on the way from blurred landmarks or from the squared loss.
CASE(cost_of_a_fit_cut_short_is_of_the_same_objective) {
  for (const double noise : {0.05, 2.0}) {
    for (int iterations = 1; iterations <= 4; ++iterations) {
      const Scope scope("noise ", noise, ", iterations ", iterations);
      Setting setting = settings()[4];
      setting.view.noise = noise;
      setting.options.maxIterations = iterations;
      setting.options.loss = RobustLoss::kStudentT;
      Scene scene(setting.model, 40);
      Observation observation = scene.observation(scene.draw(setting.view), setting.view);
      const FitProblem& problem = observation.view();
      for (const CpuKernels* kernels : cpuKernels()) {
        const Fitted fitted = scene.fit(kernels, problem, setting.options);
        CHECK_AT_MOST(fitted.iterations, iterations);
        if (iterations == 1) CHECK_EQUAL(fitted.status, FitStatus::kMaxIterations);
        CHECK(std::isfinite(fitted.uncertainty));
        const double expected = scene.objective(scene.faceOf(fitted), setting.options, problem, false);
        CHECK_NEAR(fitted.finalCost, expected, 1e-3 * expected);
      }
    }
  }
}

// Whatever it is worth elsewhere, a state with a single landmark behind the camera has no cost.
CASE(states_behind_the_camera_are_refused) {
  Setting setting = settings()[0];
  Bench bench(setting);
  FitSolverProbe& probe = bench.probe;
  CHECK(probe.inFront());
  Camera& camera = probe.state().camera;
  const double usual = camera.logScale;
  // Towards the face until the camera's plane cuts it, and to its other side.
  int refused = 0;
  for (double closer = 0; closer < 6; closer += 0.01) {
    camera.logScale = usual + closer;
    const double zoom = std::exp(camera.logScale - camera.logFocal);
    double nearest = HUGE_VAL;
    const FitEvaluation<double>& at = probe.evaluate();
    for (int i = 0; i < probe.activeCount(); ++i)
      nearest = std::min(nearest, 1 + zoom * at.turned[3 * static_cast<size_t>(i) + 2]);
    CHECK_EQUAL(probe.inFront(), nearest > kMinimumDepth);
    refused += !probe.inFront();
  }
  CHECK(refused > 100 && refused < 500);
}

// At the optimum the gradient is nothing: what a Newton step would still gain, 1/2 g^T H^-1 g, is lost in the cost's
// rounding.
CASE(gradient_vanishes_at_the_optimum) {
  double worst = 0;
  for (Setting setting : settings()) {
    setting.options.costTolerance = 1e-14;
    setting.options.maxIterations = 100;
    Bench bench(setting, 30);
    Observation observation = bench.scene.observation(bench.scene.draw(setting.view), setting.view);
    if (setting.estimateFocal) observation.problem.focal = kUnknown;
    Fitted fitted(*bench.scene.model, bench.scene.basis());
    FitSolverProbe& probe = bench.probe;
    probe.solve(observation.view(), fitted);
    CHECK_EQUAL(fitted.status, FitStatus::kConverged);
    const int n = probe.unknowns();
    const std::vector<double> covariance =
        inverse(normalMatrix(probe, bench.scene, setting.view.scan, setting.estimateFocal), n);
    probe.linearise();
    double decrement = 0;
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        decrement += 0.5 * probe.gradient(i) * covariance[static_cast<size_t>(i) * n + j] * probe.gradient(j);
    worst = std::max(worst, decrement / fitted.finalCost);
    CHECK_AT_MOST(decrement, 1e-12 * fitted.finalCost);
  }
  note("largest relative decrement ", worst);
}

// The system of some of the unknowns is the whole system's rows and columns.
CASE(part_of_the_system_is_the_system_of_a_part) {
  for (const Setting& setting : settings()) {
    Bench bench(setting);
    FitSolverProbe& probe = bench.probe;
    probe.linearise();
    const int d = bench.scene.model->tangentCount(), n = bench.scene.basis().nuisanceCount;
    const int pose = probe.nuisanceColumn() - probe.poseStart(), e = probe.unknowns() - probe.expressionColumn();
    std::vector<double> gradient, hessian;
    const int all = probe.unknowns();
    for (int a = 0; a < all; ++a) {
      gradient.push_back(probe.gradient(a));
      for (int b = 0; b < all; ++b) hessian.push_back(probe.hessian(a, b));
    }
    for (const int identities : {0, 3, d}) {
      for (const int nuisances : {0, n}) {
        const Scope scope(setting.name, ", ", identities, " identities, ", nuisances, " nuisances");
        probe.restrictTo(identities, nuisances);
        probe.linearise();
        std::vector<int> kept;
        for (int i = 0; i < all; ++i)
          if (i < identities || (i >= d && i < d + pose + nuisances) || i >= all - e) kept.push_back(i);
        CHECK_EQUAL(probe.unknowns(), static_cast<int>(kept.size()));
        for (int a = 0; a < probe.unknowns(); ++a) {
          CHECK_NEAR(probe.gradient(a), gradient[static_cast<size_t>(kept[a])], 1e-12);
          for (int b = a; b < probe.unknowns(); ++b) {
            const double expected = hessian[static_cast<size_t>(kept[a]) * all + kept[b]];
            CHECK_NEAR(probe.hessian(a, b), expected, 1e-12 * (1 + std::fabs(expected)));
          }
        }
      }
    }
    probe.restrictTo(d, n);
  }
}

CASE(uncertainty_is_the_trace_of_the_whole_inverse) {
  double worst = 0;
  for (Setting setting : settings()) {
    setting.options.costTolerance = 1e-13;  // the matrix is that of the last step but one: let them be the same
    Bench bench(setting, 30);
    Observation observation = bench.scene.observation(bench.scene.draw(setting.view), setting.view);
    if (setting.estimateFocal) observation.problem.focal = kUnknown;
    Fitted fitted(*bench.scene.model, bench.scene.basis());
    FitSolverProbe& probe = bench.probe;
    probe.solve(observation.view(), fitted);
    CHECK(fitted.usable);
    const int n = probe.unknowns(), d = bench.scene.model->tangentCount();
    const std::vector<double> covariance =
        inverse(normalMatrix(probe, bench.scene, setting.view.scan, setting.estimateFocal), n);
    double trace = 0;
    for (int i = 0; i < d; ++i) trace += covariance[static_cast<size_t>(i) * n + i];
    const double expected = std::sqrt(trace) / (setting.model.spherical ? bench.scene.model->radius() : std::sqrt(d));
    worst = std::max(worst, std::fabs(fitted.uncertainty - expected) / expected);
    CHECK_NEAR(fitted.uncertainty, expected, 1e-6 * expected);
  }
  note("worst relative difference ", worst);
}

// Large systems take short cuts: few identities at first, and factors that serve for several steps. Their end is the
// same: a Newton step, as far as it would go, gains no more than the tolerance, and the uncertainty is nearly that of the
// optimum.
CASE(large_systems_reach_the_optimum) {
  double worstGain = 0, worstUncertainty = 0;
  for (Setting setting : settings()) {
    if (setting.model.turned || setting.model.expressions == 0) continue;
    setting.model.tangent = 58;
    setting.model.expressions = 9;
    if (setting.model.withinIdentity == 0) setting.model.tangent = 66;
    Bench bench(setting, 40);
    Observation observation = bench.scene.observation(bench.scene.draw(setting.view), setting.view);
    if (setting.estimateFocal) observation.problem.focal = kUnknown;
    Fitted fitted(*bench.scene.model, bench.scene.basis());
    FitSolverProbe& probe = bench.probe;
    probe.solve(observation.view(), fitted);
    CHECK_EQUAL(fitted.status, FitStatus::kConverged);
    const int n = probe.unknowns(), d = setting.model.tangent;
    CHECK_EQUAL(n, bench.scene.coordinates(setting.estimateFocal));
    const std::vector<double> covariance =
        inverse(normalMatrix(probe, bench.scene, setting.view.scan, setting.estimateFocal), n);
    probe.linearise();
    double decrement = 0, trace = 0;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j)
        decrement += 0.5 * probe.gradient(i) * covariance[static_cast<size_t>(i) * n + j] * probe.gradient(j);
      if (i < d) trace += covariance[static_cast<size_t>(i) * n + i];
    }
    worstGain = std::max(worstGain, decrement / fitted.finalCost);
    CHECK_AT_MOST(decrement, 1e-6 * fitted.finalCost);
    const double expected = std::sqrt(trace) / (setting.model.spherical ? bench.scene.model->radius() : std::sqrt(d));
    worstUncertainty = std::max(worstUncertainty, std::fabs(fitted.uncertainty - expected) / expected);
    CHECK_NEAR(fitted.uncertainty, expected, 0.02 * expected);
  }
  note("largest relative decrement ", worstGain, ", worst relative difference of the uncertainty ", worstUncertainty);
}

// What training is told about a fit: whitened rows by the landmarks' points and by the pose, and what was left.
CASE(linearisation_agrees_with_finite_differences) {
  double worst = 0;
  for (const Setting& setting : settings()) {
    Bench bench(setting, 30);
    const Scene& scene = bench.scene;
    const LandmarkBasis& basis = scene.basis();
    Observation observation = bench.scene.observation(bench.scene.draw(setting.view), setting.view);
    observation.points[7] = kUnknown;
    if (setting.estimateFocal) observation.problem.focal = kUnknown;
    const bool scan = setting.view.scan;
    Fitted fitted(*scene.model, basis);
    fitted.wantAll(*scene.model, basis, scan);
    FitSolverProbe& probe = bench.probe;
    probe.solve(observation.view(), fitted);
    CHECK(fitted.usable);
    const size_t d = scan ? 3 : 2;
    const FitState<double>& state = probe.state();
    for (int i = 0; i < scene.model->tangentCount(); ++i) CHECK_EQUAL(fitted.linear.identity[i], state.latents[i]);
    const FitEvaluation<double>& at = probe.evaluate();
    std::vector<std::vector<double>> columns;
    for (int c = 0; c < probe.unknowns(); ++c) columns.push_back(residualDerivative(probe, c));
    const auto agrees = [&worst](double actual, double expected, double size) {
      worst = std::max(worst, std::fabs(actual - expected) / size);
      CHECK_NEAR(actual, expected, 1e-7 * size);
    };
    for (size_t i = 0; i < static_cast<size_t>(probe.activeCount()); ++i) {
      const size_t landmark = static_cast<size_t>(probe.workspace.active[i]);
      const double nu = setting.options.degreesOfFreedom,
                   first = setting.options.loss == RobustLoss::kSquared
                               ? 1
                               : (nu + static_cast<double>(d)) / (nu + at.squared[i]);
      const double weight = std::sqrt(first * probe.workspace.inverseVariance[i]);
      CHECK_NEAR(fitted.linear.weights[landmark], weight, 1e-12 * weight);
      for (size_t a = 0; a < d; ++a) {
        const size_t row = landmark * d + a;
        CHECK_NEAR(fitted.linear.residuals[row], weight * at.residual[3 * i + a], 1e-9);
        for (int c = 0; c < kPoseCapacity; ++c) {
          const bool estimated = probe.poseStart() + c < probe.nuisanceColumn();
          const double expected =
              estimated ? weight * columns[static_cast<size_t>(probe.poseStart() + c)][3 * i + a] : 0;
          agrees(fitted.linear.pose[kPoseCapacity * row + static_cast<size_t>(c)], expected, 100 * weight);
        }
        // The shape at the landmark is linear in nuisances and expressions: their rows turn the point's derivative
        // into theirs.
        for (int c = probe.nuisanceColumn(); c < probe.unknowns(); ++c) {
          const int column = c < probe.expressionColumn() ? basis.nuisanceStart + c - probe.nuisanceColumn()
                                                          : basis.expressionStart + c - probe.expressionColumn();
          double product = 0;
          for (size_t b = 0; b < 3; ++b)
            product += fitted.linear.derivatives[3 * row + b] *
                       basis.rows[(3 * landmark + b) * static_cast<size_t>(basis.stride) + static_cast<size_t>(column)];
          agrees(product, weight * columns[static_cast<size_t>(c)][3 * i + a], 10 * weight);
        }
      }
    }
    // Landmarks that are not in use, and what the mean face without nuisances leaves.
    const size_t missing = 7 / d;
    CHECK_EQUAL(fitted.linear.weights[missing], 0.0);
    for (size_t c = 0; c < 3 * d; ++c) CHECK_EQUAL(fitted.linear.derivatives[3 * missing * d + c], 0.0);
    for (size_t i = 0; i < 30; ++i) {
      if (i == missing) continue;
      double squared = 0;
      for (size_t a = 0; a < d; ++a) squared += std::pow(fitted.linear.bareResiduals[d * i + a], 2);
      CHECK_NEAR(std::sqrt(squared), fitted.linear.weights[i] * fitted.residuals[i],
                 1e-5 * fitted.linear.weights[i] * fitted.residuals[i]);
    }
  }
  note("worst difference, relative to a row's size, ", worst);
}

CASE(uncertainty_shrinks_with_landmarks_and_with_their_noise) {
  SyntheticModelOptions options;
  double last = HUGE_VAL;
  for (const int landmarks : {10, 20, 40, 80, 300}) {
    Scene scene(options, landmarks);
    View view;
    view.yaw = 20;
    view.noise = 2;
    Observation observation = scene.observation(scene.draw(view), view);
    const Fitted coarse = scene.fit(nullptr, observation.view());
    observation.problem.noise = 1;
    const Fitted fine = scene.fit(nullptr, observation.view());
    CHECK(coarse.usable && fine.usable);
    CHECK_AT_MOST(coarse.uncertainty, 0.95 * last);
    CHECK_AT_MOST(fine.uncertainty, 0.98 * coarse.uncertainty);
    // Knowing nothing, it would be the prior's.
    CHECK_AT_MOST(coarse.uncertainty, std::sqrt(scene.model->tangentCount()) / scene.model->radius());
    last = coarse.uncertainty;
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
