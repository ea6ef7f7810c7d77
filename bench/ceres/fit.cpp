// The same fits by Ceres, written as one would who wants them fast: analytic derivatives, one thread, a residual block a
// landmark, which is what a robust loss needs, and whichever dense solver is the fastest.
//
//   ceres_fit PROBLEMS [RUNS]      a file of native/bench/fit_bench.cpp --problems
//
// The objective is that of docs/fitting.md: Student-t landmarks, Gaussian priors, expressions within their bounds. A
// problem starts from the pose that the native fits would start from, for which Ceres is charged nothing, and ends when
// its cost is within 0.1% of what the native fit reached, or when Ceres says that it has converged. Making the problems is
// not timed. Ceres takes many steps where expressions rest at their bounds, so it is also let off them: without bounds the
// problem is another, easier one, whose cost falls below what it is to reach. Prints JSON.
#include <ceres/ceres.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr double kDegreesOfFreedom = 4;

// native/bench/Problems.h writes them.
struct Problems {
  int64_t count, landmarks, identity, nuisances, expressions;
  double inverseRadius;
  std::vector<double> mean, slack, identityRows, nuisanceRows, expressionRows, bounds, deviations, points, cameras,
      costs, starts;

  explicit Problems(const char* path) {
    FILE* file = std::fopen(path, "rb");
    int64_t sizes[5];
    if (!file || std::fread(sizes, sizeof sizes, 1, file) != 1) fail(path);
    count = sizes[0];
    landmarks = sizes[1];
    identity = sizes[2];
    nuisances = sizes[3];
    expressions = sizes[4];
    const auto read = [&](int64_t size) {
      std::vector<double> numbers(static_cast<size_t>(size));
      if (std::fread(numbers.data(), sizeof(double), numbers.size(), file) != numbers.size()) fail(path);
      return numbers;
    };
    inverseRadius = read(1)[0];
    mean = read(landmarks * 3);
    slack = read(landmarks * 3);
    identityRows = read(landmarks * 3 * identity);
    nuisanceRows = read(landmarks * 3 * nuisances);
    expressionRows = read(landmarks * 3 * expressions);
    bounds = read(expressions * 2);
    deviations = read(expressions);
    points = read(count * landmarks * 2);
    cameras = read(count * 5);
    costs = read(count);
    starts = read(count * 12);
    std::fclose(file);
  }

  [[noreturn]] static void fail(const char* path) {
    std::fprintf(stderr, "%s: not a file of problems\n", path);
    std::exit(1);
  }
};

// rho(s) = (nu + 2) log(1 + s / nu), of which Ceres takes half.
class StudentT final : public ceres::LossFunction {
 public:
  void Evaluate(double s, double rho[3]) const override {
    const double sum = kDegreesOfFreedom + s;
    rho[0] = (kDegreesOfFreedom + 2) * std::log1p(s / kDegreesOfFreedom);
    rho[1] = (kDegreesOfFreedom + 2) / sum;
    rho[2] = -rho[1] / sum;
  }
};

// Rotation (9, row-major) and translation; the rotation turns from the left.
class PoseManifold final : public ceres::Manifold {
 public:
  int AmbientSize() const override { return 12; }
  int TangentSize() const override { return 6; }

  bool Plus(const double* x, const double* delta, double* to) const override {
    const double angle = std::sqrt(delta[0] * delta[0] + delta[1] * delta[1] + delta[2] * delta[2]);
    const double a = angle > 1e-12 ? std::sin(angle) / angle : 1,
                 b = angle > 1e-12 ? (1 - std::cos(angle)) / (angle * angle) : 0.5;
    const double k[9] = {0, -delta[2], delta[1], delta[2], 0, -delta[0], -delta[1], delta[0], 0};
    double turn[9];
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        double square = 0;
        for (int c = 0; c < 3; ++c) square += k[3 * i + c] * k[3 * c + j];
        turn[3 * i + j] = (i == j) + a * k[3 * i + j] + b * square;
      }
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        to[3 * i + j] = turn[3 * i] * x[j] + turn[3 * i + 1] * x[3 + j] + turn[3 * i + 2] * x[6 + j];
    for (int c = 0; c < 3; ++c) to[9 + c] = x[9 + c] + delta[3 + c];
    return true;
  }

  bool PlusJacobian(const double* x, double* jacobian) const override {
    std::fill(jacobian, jacobian + 12 * 6, 0.0);
    for (int j = 0; j < 3; ++j) {
      // Column j of the rotation turns by delta x column.
      const double column[3] = {x[j], x[3 + j], x[6 + j]};
      double* row[3] = {jacobian + 6 * j, jacobian + 6 * (3 + j), jacobian + 6 * (6 + j)};
      row[0][1] = column[2];
      row[0][2] = -column[1];
      row[1][0] = -column[2];
      row[1][2] = column[0];
      row[2][0] = column[1];
      row[2][1] = -column[0];
    }
    for (int c = 0; c < 3; ++c) jacobian[6 * (9 + c) + 3 + c] = 1;
    return true;
  }

  // Ceres asks for neither while it solves.
  bool Minus(const double*, const double*, double*) const override { return false; }
  bool MinusJacobian(const double*, double*) const override { return false; }
};

class LandmarkCost final : public ceres::CostFunction {
 public:
  LandmarkCost(const Problems& problems, int64_t problem, int64_t landmark)
      : p_(problems), landmark_(landmark), point_(&problems.points[(problem * problems.landmarks + landmark) * 2]),
        camera_(&problems.cameras[problem * 5]) {
    set_num_residuals(2);
    *mutable_parameter_block_sizes() = {static_cast<int>(p_.identity), static_cast<int>(p_.nuisances),
                                        static_cast<int>(p_.expressions), 12};
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const double *v = parameters[0], *n = parameters[1], *e = parameters[2], *pose = parameters[3];
    double square = 0;
    for (int64_t c = 0; c < p_.identity; ++c) square += v[c] * v[c];
    const double angle = std::sqrt(square) * p_.inverseRadius, cosine = std::cos(angle),
                 sinc = angle > 1e-6 ? std::sin(angle) / angle : 1 - angle * angle / 6;
    double shape[3], moved[3];
    for (int a = 0; a < 3; ++a) {
      const int64_t row = landmark_ * 3 + a;
      moved[a] = dot(&p_.identityRows[row * p_.identity], v, p_.identity);
      shape[a] = p_.mean[row] + cosine * p_.slack[row] + sinc * moved[a] +
                 dot(&p_.nuisanceRows[row * p_.nuisances], n, p_.nuisances) +
                 dot(&p_.expressionRows[row * p_.expressions], e, p_.expressions);
    }
    double x[3];
    for (int a = 0; a < 3; ++a) x[a] = dot(pose + 3 * a, shape, 3) + pose[9 + a];
    if (!(x[2] > 1)) return false;
    const double zoom = camera_[0] / x[2], inverseNoise = 1 / camera_[4];
    for (int i = 0; i < 2; ++i) residuals[i] = (zoom * x[i] + camera_[1 + i] - point_[i]) * inverseNoise;
    if (!jacobians) return true;

    const double byPoint[2][3] = {{zoom * inverseNoise, 0, -zoom * x[0] / x[2] * inverseNoise},
                                  {0, zoom * inverseNoise, -zoom * x[1] / x[2] * inverseNoise}};
    double byShape[2][3];
    for (int i = 0; i < 2; ++i)
      for (int b = 0; b < 3; ++b)
        byShape[i][b] = byPoint[i][0] * pose[b] + byPoint[i][1] * pose[3 + b] + byPoint[i][2] * pose[6 + b];
    if (double* to = jacobians[0]) {
      // Along the sphere: sinc U, and what moves it as the angle grows.
      const double r2 = p_.inverseRadius * p_.inverseRadius,
                   bend = angle > 1e-4 ? (cosine - sinc) / (angle * angle) * r2 : -r2 / 3;
      for (int i = 0; i < 2; ++i) {
        double along = 0;
        for (int a = 0; a < 3; ++a)
          along += byShape[i][a] * (bend * moved[a] - sinc * r2 * p_.slack[landmark_ * 3 + a]);
        combine(&p_.identityRows[landmark_ * 3 * p_.identity], p_.identity, byShape[i], sinc, to + i * p_.identity);
        for (int64_t c = 0; c < p_.identity; ++c) to[i * p_.identity + c] += along * v[c];
      }
    }
    if (jacobians[1])
      for (int i = 0; i < 2; ++i)
        combine(&p_.nuisanceRows[landmark_ * 3 * p_.nuisances], p_.nuisances, byShape[i], 1,
                jacobians[1] + i * p_.nuisances);
    if (jacobians[2])
      for (int i = 0; i < 2; ++i)
        combine(&p_.expressionRows[landmark_ * 3 * p_.expressions], p_.expressions, byShape[i], 1,
                jacobians[2] + i * p_.expressions);
    if (double* to = jacobians[3])
      for (int i = 0; i < 2; ++i)
        for (int a = 0; a < 3; ++a) {
          for (int b = 0; b < 3; ++b) to[12 * i + 3 * a + b] = byPoint[i][a] * shape[b];
          to[12 * i + 9 + a] = byPoint[i][a];
        }
    return true;
  }

 private:
  static double dot(const double* a, const double* b, int64_t size) {
    double sum = 0;
    for (int64_t c = 0; c < size; ++c) sum += a[c] * b[c];
    return sum;
  }
  static void combine(const double* rows, int64_t columns, const double* factors, double scale, double* to) {
    for (int64_t c = 0; c < columns; ++c)
      to[c] = scale * (factors[0] * rows[c] + factors[1] * rows[columns + c] + factors[2] * rows[2 * columns + c]);
  }

  const Problems& p_;
  const int64_t landmark_;
  const double *point_, *camera_;
};

// |x / deviation|^2 / 2
class Prior final : public ceres::CostFunction {
 public:
  Prior(int64_t size, const double* deviations) : size_(size), deviations_(deviations) {
    set_num_residuals(static_cast<int>(size));
    *mutable_parameter_block_sizes() = {static_cast<int>(size)};
  }
  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    for (int64_t c = 0; c < size_; ++c) residuals[c] = parameters[0][c] / deviation(c);
    if (!jacobians || !jacobians[0]) return true;
    std::fill(jacobians[0], jacobians[0] + size_ * size_, 0.0);
    for (int64_t c = 0; c < size_; ++c) jacobians[0][c * size_ + c] = 1 / deviation(c);
    return true;
  }

 private:
  double deviation(int64_t c) const { return deviations_ ? deviations_[c] : 1; }
  const int64_t size_;
  const double* deviations_;
};

// Ends a fit that is as good as the native one.
class Target final : public ceres::IterationCallback {
 public:
  explicit Target(double cost) : cost_(cost) {}
  ceres::CallbackReturnType operator()(const ceres::IterationSummary& summary) override {
    return summary.cost <= 1.001 * cost_ ? ceres::SOLVER_TERMINATE_SUCCESSFULLY : ceres::SOLVER_CONTINUE;
  }

 private:
  const double cost_;
};

// One problem with its unknowns.
class Fit {
 public:
  Fit(const Problems& problems, int64_t i, bool bounded)
      : problems_(problems), i_(i), v_(problems.identity), n_(problems.nuisances), e_(problems.expressions), pose_(12) {
    ceres::Problem::Options options;
    options.enable_fast_removal = false;
    options.disable_all_safety_checks = true;
    options.loss_function_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
    options.manifold_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
    problem_ = std::make_unique<ceres::Problem>(options);
    static StudentT loss;
    static PoseManifold manifold;
    problem_->AddParameterBlock(pose_.data(), 12, &manifold);
    for (int64_t l = 0; l < problems.landmarks; ++l)
      problem_->AddResidualBlock(new LandmarkCost(problems, i, l), &loss, v_.data(), n_.data(), e_.data(),
                                 pose_.data());
    problem_->AddResidualBlock(new Prior(problems.identity, nullptr), nullptr, v_.data());
    problem_->AddResidualBlock(new Prior(problems.nuisances, nullptr), nullptr, n_.data());
    problem_->AddResidualBlock(new Prior(problems.expressions, problems.deviations.data()), nullptr, e_.data());
    for (int64_t c = 0; bounded && c < problems.expressions; ++c) {
      problem_->SetParameterLowerBound(e_.data(), static_cast<int>(c), problems.bounds[2 * c]);
      problem_->SetParameterUpperBound(e_.data(), static_cast<int>(c), problems.bounds[2 * c + 1]);
    }
  }

  ceres::Solver::Summary solve(ceres::Solver::Options options) {
    std::fill(v_.begin(), v_.end(), 0.0);
    std::fill(n_.begin(), n_.end(), 0.0);
    for (size_t c = 0; c < e_.size(); ++c)
      e_[c] = std::clamp(0.0, problems_.bounds[2 * c], problems_.bounds[2 * c + 1]);
    std::copy_n(&problems_.starts[i_ * 12], 12, pose_.begin());
    Target target(problems_.costs[i_]);
    options.callbacks.push_back(&target);
    ceres::Solver::Summary summary;
    ceres::Solve(options, problem_.get(), &summary);
    return summary;
  }

 private:
  const Problems& problems_;
  const int64_t i_;
  std::vector<double> v_, n_, e_, pose_;
  std::unique_ptr<ceres::Problem> problem_;
};

struct Report {
  std::string solver;
  bool bounded;
  int runs;
  double median, least, most, cpu, iterations, cost, asGood;  // times in ms a fit; cpu: of the processor, median
};

Report measure(const Problems& problems, bool bounded, ceres::LinearSolverType type,
               ceres::DenseLinearAlgebraLibraryType library, int runs) {
  std::vector<std::unique_ptr<Fit>> fits;
  for (int64_t i = 0; i < problems.count; ++i) fits.push_back(std::make_unique<Fit>(problems, i, bounded));
  ceres::Solver::Options options;
  options.linear_solver_type = type;
  options.dense_linear_algebra_library_type = library;
  options.minimizer_type = ceres::TRUST_REGION;
  options.trust_region_strategy_type = ceres::LEVENBERG_MARQUARDT;
  options.max_num_iterations = 50;
  options.function_tolerance = 1e-6;
  options.num_threads = 1;
  options.logging_type = ceres::SILENT;
  Report report = {ceres::LinearSolverTypeToString(type), bounded, runs, 0, 0, 0, 0, 0, 0, 0};
  if (library == ceres::LAPACK) report.solver += ", LAPACK";
  std::vector<double> times, processor;
  for (int run = 0; run < runs; ++run) {
    double iterations = 0, cost = 0, good = 0;
    const std::clock_t used = std::clock();
    const auto begin = std::chrono::steady_clock::now();
    for (size_t i = 0; i < fits.size(); ++i) {
      const ceres::Solver::Summary summary = fits[i]->solve(options);
      iterations += summary.num_successful_steps + summary.num_unsuccessful_steps;
      cost += summary.final_cost;
      good += summary.final_cost <= 1.01 * problems.costs[i];
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    const double count = static_cast<double>(fits.size());
    times.push_back(time.count() / count);
    processor.push_back(1e3 * static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC / count);
    report.iterations = iterations / count;
    report.cost = cost / count;
    report.asGood = good / count;
  }
  const auto median = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  };
  report.median = median(times);
  report.cpu = median(processor);
  report.least = times.front();
  report.most = times.back();
  return report;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "ceres_fit PROBLEMS [RUNS]\n");
    return 2;
  }
  google::InitGoogleLogging(argv[0]);
  const Problems problems(argv[1]);
  const int runs = argc > 2 ? std::max(1, std::atoi(argv[2])) : 5;
  double target = 0;
  for (const double cost : problems.costs) target += cost / static_cast<double>(problems.count);
  struct Solver {
    ceres::LinearSolverType type;
    ceres::DenseLinearAlgebraLibraryType library;
  };
  std::vector<Solver> solvers = {{ceres::DENSE_NORMAL_CHOLESKY, ceres::EIGEN}, {ceres::DENSE_SCHUR, ceres::EIGEN}};
  if (ceres::IsDenseLinearAlgebraLibraryTypeAvailable(ceres::LAPACK))
    solvers.push_back({ceres::DENSE_NORMAL_CHOLESKY, ceres::LAPACK});
  // Each once, and the fastest as often as it was asked for.
  std::vector<Report> reports;
  for (const bool bounded : {true, false}) {
    std::vector<Report> once;
    for (const Solver& s : solvers) once.push_back(measure(problems, bounded, s.type, s.library, 1));
    const size_t best = static_cast<size_t>(
        std::min_element(once.begin(), once.end(), [](auto& a, auto& b) { return a.median < b.median; }) - once.begin());
    once[best] = measure(problems, bounded, solvers[best].type, solvers[best].library, runs);
    reports.insert(reports.end(), once.begin(), once.end());
  }
  std::printf("{\"ceres\":\"%s\",\"count\":%lld,\"landmarks\":%lld,\"meanCostOfNativeFits\":%.6g,\"solvers\":[",
              CERES_VERSION_STRING, static_cast<long long>(problems.count), static_cast<long long>(problems.landmarks),
              target);
  for (size_t i = 0; i < reports.size(); ++i) {
    const Report& r = reports[i];
    std::printf("%s{\"solver\":\"%s\",\"bounded\":%s,\"millisecondsAFace\":{\"median\":%.5g,\"min\":%.5g,"
                "\"max\":%.5g,\"runs\":%d,\"cpu\":%.5g},\"iterations\":%.4g,\"meanCost\":%.6g,\"asGood\":%.4g}",
                i ? "," : "", r.solver.c_str(), r.bounded ? "true" : "false", r.median, r.least, r.most, r.runs, r.cpu,
                r.iterations, r.cost, r.asGood);
  }
  std::printf("]}\n");
  return 0;
}
