// Faces drawn from a synthetic model and what a camera or a scanner sees of them, computed from the model's own
// arrays: nothing here goes through the code under test, so that its answers can be held to it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/Batch.h"
#include "core/Rotation.h"
#include "cpu/CpuKernels.h"
#include "test/Random.h"
#include "test/SyntheticModel.h"

namespace sfm::test {

constexpr double kDegree = 3.14159265358979323846 / 180;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Everything that a fit solves for.
struct Face {
  std::vector<double> latent;  // [K]
  std::vector<double> expression;  // [E]
  std::vector<double> nuisances;  // [Q + q]
  double rotation[9];
  double translation[3];  // mm; for weak perspective the third is not used
  double focal = 0;  // pixels; 0: weak perspective with `scale`, or a scan
  double scale = 0;  // pixels per mm at the model's origin
  double principal[2] = {0, 0};
};

struct View {
  double yaw = 0, pitch = 0, roll = 0;  // degrees
  double faceSize = 400;  // pixels that 200 mm of face cover
  double focal = 1400;  // pixels
  bool weak = false;
  bool scan = false;
  bool gaussianExpression = false;  // drawn from its prior, bounds or not
  double noise = 0;  // standard deviation of the landmarks, pixels or mm
};

// A problem that owns its numbers.
struct Observation {
  std::vector<double> points;
  std::vector<float> confidence;
  FitProblem problem;
  // To be called where the problem is used: copies of an observation have their own numbers.
  const FitProblem& view() {
    problem.points = points.data();
    problem.confidence = confidence.empty() ? nullptr : confidence.data();
    return problem;
  }
};

// The outputs of a fit with the memory they need.
struct Fitted : FitSolution {
  Fitted(const FaceModel& model, const LandmarkBasis& basis)
      : identities(model.identityCount()),
        embeddings(model.tangentCount()),
        expressions(model.expressionCount()),
        distances(basis.landmarkCount),
        weights(basis.landmarkCount) {
    identity = identities.data();
    embedding = embeddings.data();
    expression = expressions.data();
    residuals = distances.data();
    robustWeights = weights.data();
  }
  Fitted(Fitted&&) = default;
  Fitted(const Fitted&) = delete;
  // Asks for all that is optional.
  void wantAll(const FaceModel& model, const LandmarkBasis& basis, bool scan) {
    const size_t d = static_cast<size_t>(model.tangentCount()), landmarks = static_cast<size_t>(basis.landmarkCount),
                 rows = landmarks * (scan ? 3 : 2);
    informations.resize(packedTriangle(static_cast<int>(d)));
    shifts.resize(d);
    information = informations.data();
    shift = shifts.data();
    pointers_ = std::make_unique<FitLinearisation>();
    const auto want = [](std::vector<double>& numbers, size_t size, double** pointer) {
      numbers.resize(size);
      *pointer = numbers.data();
    };
    want(linear.identity, d, &pointers_->identity);
    want(linear.nuisances, static_cast<size_t>(basis.nuisanceCount), &pointers_->nuisances);
    want(linear.expression, static_cast<size_t>(basis.expressionCount), &pointers_->expression);
    want(linear.bounds, static_cast<size_t>(basis.expressionCount), &pointers_->bounds);
    want(linear.weights, landmarks, &pointers_->weights);
    want(linear.derivatives, 3 * rows, &pointers_->derivatives);
    want(linear.pose, kPoseCapacity * rows, &pointers_->pose);
    want(linear.residuals, rows, &pointers_->residuals);
    want(linear.bareResiduals, rows, &pointers_->bareResiduals);
    linearisation = pointers_.get();
  }
  std::vector<float> identities, embeddings, expressions, distances, weights;
  std::vector<double> informations, shifts;

  // What training asks for, in the order of FitLinearisation's members.
  struct {
    std::vector<double> identity, nuisances, expression, bounds, weights, derivatives, pose, residuals, bareResiduals;
  } linear;

 private:
  std::unique_ptr<FitLinearisation> pointers_;
};

class Scene {
 public:
  Scene(const SyntheticModelOptions& options, int landmarks, bool noiseFactors = false)
      : synthetic(options), model(std::make_shared<const FaceModel>(synthetic.source())) {
    LandmarkSchemeSource source = synthetic.landmarks(landmarks);
    for (int i = 0; i < landmarks; ++i) factors.push_back(noiseFactors && i % 3 == 0 ? 2.5f : 1.0f);
    source.noiseFactors = factors.data();
    scheme = std::make_shared<const LandmarkScheme>(*model, source);
    const size_t row = synthetic.mean().size();
    const auto at = [&](const std::vector<float>& values, size_t column, size_t landmark, size_t axis) {
      double sum = 0;
      for (size_t c = 0; c < 3; ++c)
        sum += static_cast<double>(source.weights[3 * landmark + c]) *
               values[column * row + 3 * static_cast<size_t>(source.indices[3 * landmark + c]) + axis];
      return sum;
    };
    for (size_t l = 0; l < static_cast<size_t>(landmarks); ++l) {
      for (size_t a = 0; a < 3; ++a) {
        mean_.push_back(at(synthetic.mean(), 0, l, a));
        for (size_t k = 0; k < static_cast<size_t>(model->identityCount()); ++k)
          identity_.push_back(at(synthetic.identity(), k, l, a));
        for (size_t e = 0; e < static_cast<size_t>(model->expressionCount()); ++e)
          expression_.push_back(at(synthetic.expression(), e, l, a));
        for (size_t q = 0; q < static_cast<size_t>(options.withinIdentity); ++q)
          nuisances_.push_back(at(synthetic.withinIdentity(), q, l, a));
        for (size_t q = 0; q < static_cast<size_t>(options.correlatedNoise); ++q)
          nuisances_.push_back(synthetic.correlatedNoise()[(q * static_cast<size_t>(landmarks) + l) * 3 + a]);
      }
    }
  }

  int landmarkCount() const { return static_cast<int>(factors.size()); }
  const LandmarkBasis& basis() const { return scheme->basis; }

  // How many numbers a face's coordinates have: tangent coordinates, rotation, translation (weak perspective: two and
  // the log of the scale), log of the focal length where it counts as unknown, nuisances, expressions.
  int coordinates(bool focal) const { return expressionStart(focal) + model->expressionCount(); }
  int nuisanceStart(bool focal) const { return model->tangentCount() + 6 + (focal ? 1 : 0); }
  int expressionStart(bool focal) const { return nuisanceStart(focal) + basis().nuisanceCount; }

  // The face a step away along its coordinates.
  Face moved(const Face& face, const std::vector<double>& step, bool focal) const {
    Face to = face;
    const size_t d = static_cast<size_t>(model->tangentCount());
    std::vector<double> v(d), direction(d);
    model->tangentFromLatent(face.latent.data(), v.data());
    for (size_t i = 0; i < d; ++i) v[i] += step[i];
    model->latentFromTangent(v.data(), to.latent.data(), direction.data());
    double turn[9];
    rotationExp(&step[d], turn);
    multiply3x3(turn, face.rotation, to.rotation);
    const bool weak = face.focal == 0 && face.translation[2] == 0;
    for (size_t a = 0; a < (weak ? 2 : 3); ++a) to.translation[a] += step[d + 3 + a];
    if (weak) to.scale *= std::exp(step[d + 5]);
    if (focal) to.focal *= std::exp(step[d + 6]);
    for (size_t i = 0; i < face.nuisances.size(); ++i)
      to.nuisances[i] += step[static_cast<size_t>(nuisanceStart(focal)) + i];
    for (size_t e = 0; e < face.expression.size(); ++e)
      to.expression[e] += step[static_cast<size_t>(expressionStart(focal)) + e];
    return to;
  }

  // The landmarks [L,3] in model space, mm, displaced by the nuisances.
  std::vector<double> shape(const Face& face) const {
    std::vector<double> points(mean_);
    const size_t k = face.latent.size(), e = face.expression.size(), q = face.nuisances.size();
    for (size_t i = 0; i < points.size(); ++i) {
      for (size_t c = 0; c < k; ++c) points[i] += identity_[i * k + c] * face.latent[c];
      for (size_t c = 0; c < e; ++c) points[i] += expression_[i * e + c] * face.expression[c];
      for (size_t c = 0; c < q; ++c) points[i] += nuisances_[i * q + c] * face.nuisances[c];
    }
    return points;
  }

  // Where they are observed: [L,3] mm for a scan, [L,2] pixels otherwise.
  std::vector<double> observe(const Face& face, bool scan) const {
    const std::vector<double> points = shape(face);
    std::vector<double> observed;
    for (size_t i = 0; i < points.size(); i += 3) {
      double x[3];
      for (size_t a = 0; a < 3; ++a)
        x[a] = face.rotation[3 * a] * points[i] + face.rotation[3 * a + 1] * points[i + 1] +
               face.rotation[3 * a + 2] * points[i + 2] + face.translation[a];
      if (scan) {
        observed.insert(observed.end(), x, x + 3);
      } else {
        const double zoom = face.focal > 0 ? face.focal / x[2] : face.scale;
        observed.push_back(zoom * x[0] + face.principal[0]);
        observed.push_back(zoom * x[1] + face.principal[1]);
      }
    }
    return observed;
  }

  // A random face of the model, posed as the view says.
  Face draw(const View& view) {
    Face face;
    std::vector<double> tangent(model->tangentCount()), direction(tangent.size());
    for (double& value : tangent) value = random.normal();
    face.latent.resize(model->identityCount());
    model->latentFromTangent(tangent.data(), face.latent.data(), direction.data());
    for (int e = 0; e < model->expressionCount(); ++e) {
      const double value = model->expressionStddev()[e] * random.normal();
      face.expression.push_back(view.gaussianExpression ? value : std::min(1.0, std::fabs(value)));
    }
    for (int i = 0; i < basis().nuisanceCount; ++i) face.nuisances.push_back(random.normal());
    setPose(view, &face);
    return face;
  }

  Observation observation(const Face& face, const View& view) {
    Observation o;
    o.points = observe(face, view.scan);
    for (size_t i = 0; i < o.points.size(); ++i)
      o.points[i] += view.noise * factors[i / (view.scan ? 3 : 2)] * random.normal();
    o.problem.focal = view.weak || view.scan ? kUnknown : view.focal;
    o.problem.imageSize = view.focal / 1.2;
    o.problem.noise = view.noise > 0 ? view.noise : kUnknown;
    for (int a = 0; a < 2; ++a) o.problem.principal[a] = face.principal[a];
    return o;
  }

  // The fit's objective, from the definitions in docs/fitting.md. `noise` must be given by the problem. The focal
  // length counts as an unknown where the problem leaves it open.
  double objective(const Face& face, const FitOptions& options, const FitProblem& problem, bool scan) const {
    const std::vector<double> predicted = observe(face, scan);
    const size_t d = scan ? 3 : 2;
    double cost = 0;
    for (size_t l = 0; l < factors.size(); ++l) {
      const double confidence = problem.confidence ? problem.confidence[l] : 1;
      double squared = 0;
      for (size_t a = 0; a < d; ++a) squared += std::pow(predicted[d * l + a] - problem.points[d * l + a], 2);
      if (!(confidence > 0) || !std::isfinite(squared)) continue;
      const double q = squared * confidence / std::pow(problem.noise * factors[l], 2), nu = options.degreesOfFreedom;
      cost += options.loss == RobustLoss::kSquared ? q / 2 : (nu + static_cast<double>(d)) / 2 * std::log(1 + q / nu);
    }
    std::vector<double> v(model->tangentCount());
    model->tangentFromLatent(face.latent.data(), v.data());
    for (size_t i = 0; i < v.size(); ++i) {
      if (model->priorPrecision().empty()) cost += 0.5 * options.identityPrior * v[i] * v[i];
      for (size_t j = 0; j < v.size() && !model->priorPrecision().empty(); ++j)
        cost += 0.5 * options.identityPrior * v[i] * model->priorPrecision()[i * v.size() + j] * v[j];
    }
    for (size_t e = 0; e < face.expression.size(); ++e)
      cost += 0.5 * options.expressionPrior *
              std::pow((face.expression[e] - model->expressionMean()[e]) / model->expressionStddev()[e], 2);
    for (const double value : face.nuisances) cost += 0.5 * value * value;
    if (!scan && !options.weakPerspective && !(problem.focal > 0))
      cost += 0.5 * std::pow(std::log(face.focal / (1.2 * problem.imageSize)) / options.focalStddev, 2);
    return cost;
  }

  // What a solution says, as a face.
  Face faceOf(const FitSolution& s) const {
    Face face;
    face.latent.assign(s.identity, s.identity + model->identityCount());
    face.expression.assign(s.expression, s.expression + model->expressionCount());
    face.nuisances.assign(s.linearisation->nuisances, s.linearisation->nuisances + basis().nuisanceCount);
    std::copy(s.rotation, s.rotation + 9, face.rotation);
    std::copy(s.translation, s.translation + 3, face.translation);
    std::copy(s.principal, s.principal + 2, face.principal);
    face.focal = s.focal;
    face.scale = s.scale;
    return face;
  }

  // A fit as the backend makes it: with the kernels given, in double precision where they say so. Null: the reference.
  Fitted fit(const CpuKernels* kernels, const FitProblem& problem, const FitOptions& options = {}, bool scan = false) {
    Fitted solution(*model, basis());
    solution.wantAll(*model, basis(), scan);
    const ObservationSpace space = scan ? ObservationSpace::kScan : ObservationSpace::kImage;
    if (!single_) {
      single_ = std::make_unique<FitWorkspace<float>>(basis());
      twice_ = std::make_unique<FitWorkspace<double>>(basis());
    }
    if (!kernels || !kernels->fit(*model, basis(), options, space, *single_, problem, solution))
      fitReference(*model, basis(), options, space, *twice_, problem, solution);
    if (solution.failure == FitFailure::kNone)
      whitenPosterior(*model, options.identityPrior, solution.information, solution.shift);
    return solution;
  }

  Random random{23};
  SyntheticModel synthetic;
  std::shared_ptr<const FaceModel> model;
  std::shared_ptr<const LandmarkScheme> scheme;
  std::vector<float> factors;  // of the noise, by landmark

 private:
  // Camera axes have y down and z forward: a face that looks into the camera is turned by half a turn about x.
  static void setPose(const View& view, Face* face) {
    const double flip[9] = {1, 0, 0, 0, -1, 0, 0, 0, -1};
    const double aboutY[3] = {0, view.yaw * kDegree, 0}, aboutX[3] = {view.pitch * kDegree, 0, 0},
                 aboutZ[3] = {0, 0, view.roll * kDegree};
    double y[9], p[9], r[9], yp[9], ypr[9];
    rotationExp(aboutY, y);
    rotationExp(aboutX, p);
    rotationExp(aboutZ, r);
    multiply3x3(y, p, yp);
    multiply3x3(r, yp, ypr);
    multiply3x3(ypr, flip, face->rotation);
    face->scale = view.scan ? 1 : view.faceSize / 200;
    face->focal = view.weak || view.scan ? 0 : view.focal;
    face->translation[0] = 30;
    face->translation[1] = -20;
    face->translation[2] = view.weak ? 0 : (view.scan ? 900 : view.focal / face->scale);
    face->principal[0] = view.scan ? 0 : 640;
    face->principal[1] = view.scan ? 0 : 360;
  }

  std::vector<double> mean_, identity_, expression_, nuisances_;  // [L,3], [L,3,K], [L,3,E], [L,3,Q+q]
  std::unique_ptr<FitWorkspace<float>> single_;
  std::unique_ptr<FitWorkspace<double>> twice_;
};

// The angle between two rotations, degrees.
inline double degreesBetween(const double* a, const double* b) {
  double r[9];
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) r[3 * i + j] = a[i] * b[j] + a[3 + i] * b[3 + j] + a[6 + i] * b[6 + j];
  const double x = r[7] - r[5], y = r[2] - r[6], z = r[3] - r[1];
  return std::atan2(0.5 * std::sqrt(x * x + y * y + z * z), 0.5 * (r[0] + r[4] + r[8] - 1)) / kDegree;
}

}  // namespace sfm::test
