// Levenberg-Marquardt for one face (docs/fitting.md). The unknowns are ordered
//     [ v: identity in normal coordinates | pose and camera | nuisances | e: expressions ]
// so that eliminating all but the last leaves the expressions' Schur complement, on which the bounds are imposed exactly.
// `Kernels` supplies the products in one precision and instruction set; everything else is the same code for all of
// them.
#pragma once

#include <math.h>

#include "core/Fit.h"
#include "core/PoseStart.h"
#include "core/Sphere.h"
#include "cpu/BoxQuadratic.h"
#include "cpu/FitWorkspace.h"

namespace sfm {
namespace {

constexpr double kLeastBend = 0.3;  // see FitSolver::jacobianRows
constexpr double kGentleNoise = 1;  // mm, see FitSolver::start
constexpr double kSinglePrecisionBlur = 20;  // landmarks better than kGentleNoise / 20 are fitted in double precision

template <class Kernels>
class FitSolver {
 public:
  using Real = typename Kernels::Real;

  FitSolver(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
            FitWorkspace<Real>& workspace)
      : model_(model),
        basis_(basis),
        options_(options),
        image_(space == ObservationSpace::kImage),
        dimensions_(image_ ? 2 : 3),
        w_(workspace),
        d_(basis.tangentCount),
        n_(options.nuisances ? basis.nuisanceCount : 0),
        e_(basis.expressionCount),
        inverseRadius_(model.inverseRadius()),
        largestTangent_(model.largestTangent()) {}

  // False where single precision does not do: the prior (order 1 in the normal equations) drowns in the rounding of
  // landmarks that are known to a few hundredths of a millimetre. Nothing has been solved then.
  bool solve(const FitProblem& problem, FitSolution& solution) {
    problem_ = &problem;
    clear(solution);
    solution.failure = selectLandmarks();
    if (solution.failure == FitFailure::kNone) solution.failure = start();
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNone && blur_ > kSinglePrecisionBlur)
      return false;
    if (solution.failure == FitFailure::kNone) minimise(solution);
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNumerical) return false;
    if (solution.failure != FitFailure::kNone) solution.status = FitStatus::kFailed;
    report(solution);
    return true;
  }

 private:
  friend struct FitSolverProbe;  // the tests' way in

  // --- Set-up -------------------------------------------------------------------------------------------------------

  void clear(FitSolution& solution) {
    solution.status = FitStatus::kFailed;
    solution.usable = false;
    solution.iterations = 0;
    solution.initialCost = solution.finalCost = solution.rmse = solution.uncertainty = NAN;
    for (int i = 0; i < basis_.landmarkCount; ++i) solution.residuals[i] = solution.robustWeights[i] = NAN;
    for (FitState<Real>& state : w_.states) {
      for (int i = 0; i < basis_.stride; ++i) state.latents[i] = 0;
      for (int i = 0; i < 9; ++i) state.rotation[i] = (i % 4 == 0) ? (i == 0 || !image_ ? 1 : -1) : 0;
      for (double& t : state.translation) t = 0;
      state.camera = Camera{};
    }
    activeCount_ = 0;
  }

  FitFailure selectLandmarks() {
    double largest = 0;
    for (int landmark : basis_.present) {
      const double* point = problem_->points + static_cast<long>(landmark) * dimensions_;
      const double confidence = problem_->confidence ? problem_->confidence[landmark] : 1;
      bool usable = confidence > 0;
      for (int a = 0; a < dimensions_; ++a) usable &= isfinite(point[a]) != 0;
      if (!usable) continue;
      PosePoint& pose = w_.posePoints[activeCount_];
      for (int a = 0; a < 3; ++a) {
        const long at = 3L * landmark + a;
        pose.model[a] = static_cast<double>(basis_.mean[at]) + static_cast<double>(basis_.slack[at]);
        pose.observed[a] = a < dimensions_ ? point[a] : 0;
        largest = fabs(pose.observed[a]) > largest ? fabs(pose.observed[a]) : largest;
      }
      const double factor = basis_.noiseFactors[landmark];
      pose.weight = confidence / (factor * factor);
      w_.active[activeCount_++] = landmark;
    }
    if (activeCount_ < (image_ ? kMinimumImageLandmarks : kMinimumScanLandmarks)) return FitFailure::kTooFewLandmarks;
    if (largest > kLargestCoordinate) return FitFailure::kCoordinatesTooLarge;
    return FitFailure::kNone;
  }

  FitFailure start() {
    PoseMoments moments = poseMoments(w_.posePoints.data(), activeCount_, dimensions_);
    if (!(moments.weight > 0) || !spansPlane(moments.modelSpread) || !spansPlane(moments.observedSpread))
      return FitFailure::kDegenerateLandmarks;
    const FitFailure failure = image_ ? startImage(moments) : startScan(moments);
    if (failure != FitFailure::kNone) return failure;

    // Expressions start at rest, or at the bound nearest to it.
    for (int i = 0; i < e_; ++i) {
      const double lower = model_.expressionBounds()[2 * i], upper = model_.expressionBounds()[2 * i + 1];
      double value = 0;
      if (options_.boundExpression) value = value < lower ? lower : (value > upper ? upper : value);
      w_.states[0].latents[basis_.expressionStart + i] = static_cast<Real>(value);
      w_.boxState[i] = kFree;
    }

    const double pixelsPerMm = image_ ? exp(w_.states[0].camera.logScale) : 1;
    const double sigma = isnan(problem_->noise) ? options_.noise * pixelsPerMm : problem_->noise;
    for (int i = 0; i < activeCount_; ++i) w_.inverseVariance[i] = w_.posePoints[i].weight / (sigma * sigma);
    // Exact landmarks make a narrow curved valley, which no quadratic model sees far along: approach it from landmarks
    // of a millimetre's noise, half as much at each iteration.
    blur_ = kGentleNoise * pixelsPerMm > sigma ? kGentleNoise * pixelsPerMm / sigma : 1;
    return FitFailure::kNone;
  }

  FitFailure startScan(const PoseMoments& m) {
    FitState<Real>& state = w_.states[0];
    nearestRotation(m.crossMoment, state.rotation);
    for (int a = 0; a < 3; ++a) {
      state.translation[a] = m.observed[a];
      for (int b = 0; b < 3; ++b) state.translation[a] -= state.rotation[3 * a + b] * m.model[b];
    }
    poseCount_ = 6;
    return FitFailure::kNone;
  }

  FitFailure startImage(PoseMoments& m) {
    Camera& camera = w_.states[0].camera;
    camera.weak = options_.weakPerspective;
    double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL};
    for (int i = 0; i < activeCount_; ++i) {
      for (int a = 0; a < 2; ++a) {
        const double value = w_.posePoints[i].observed[a];
        low[a] = value < low[a] ? value : low[a];
        high[a] = value > high[a] ? value : high[a];
      }
    }
    const double extent = high[0] - low[0] > high[1] - low[1] ? high[0] - low[0] : high[1] - low[1];
    // Field of view about 45 degrees; of an unknown image we know that the landmarks tend to fill some 40% of it.
    const double imageSize =
        isfinite(problem_->imageSize) && problem_->imageSize > 0 ? problem_->imageSize : 2.5 * extent;
    const bool known = isfinite(problem_->focal) && problem_->focal > 0;
    focalPrior_ = log(known ? problem_->focal : 1.2 * imageSize);
    for (int a = 0; a < 2; ++a) {
      camera.principal[a] = isfinite(problem_->principal[a]) ? problem_->principal[a] : 0.5 * (low[a] + high[a]);
      if (fabs(camera.principal[a]) > kLargestCoordinate) return FitFailure::kCoordinatesTooLarge;
    }
    camera.logFocal = focalPrior_;
    estimateFocal_ = !camera.weak && !known;
    poseCount_ = estimateFocal_ ? 7 : 6;

    // From here on pixels are counted from the principal point.
    for (int i = 0; i < activeCount_; ++i)
      for (int a = 0; a < 2; ++a) w_.posePoints[i].observed[a] -= camera.principal[a];
    for (int a = 0; a < 2; ++a) m.observed[a] -= camera.principal[a];

    const double inverseFocal = camera.weak ? 0 : exp(-camera.logFocal);
    double best = HUGE_VAL;
    for (int candidate = 0; candidate < 2; ++candidate) {
      ImagePose pose = affinePose(m, candidate == 1);
      constexpr double kMeanFaceError = 4;  // mm: how far a face's landmarks are from the mean face's
      constexpr int kPoseSteps = 4;
      const double cost =
          refinePose(w_.posePoints.data(), activeCount_, inverseFocal, kMeanFaceError, kPoseSteps, &pose);
      if (!(cost < best)) continue;
      best = cost;
      for (int i = 0; i < 9; ++i) w_.states[0].rotation[i] = pose.rotation[i];
      camera.p = pose.p;
      camera.q = pose.q;
      camera.logScale = pose.logScale;
    }
    return best < HUGE_VAL ? FitFailure::kNone : FitFailure::kBehindCamera;
  }

  // --- Objective ----------------------------------------------------------------------------------------------------

  ChartScalars chart(const FitState<Real>& state) const {
    return chartScalars(sqrt(squaredNorm(state.latents.data(), d_)) * inverseRadius_);
  }

  // Predictions and residuals of a state; false where a landmark falls behind the camera or a number overflows.
  bool evaluate(const FitState<Real>& state, FitEvaluation<Real>& out) {
    const int rows = 3 * basis_.landmarkCount;
    const Real* latents = state.latents.data();
    Kernels::rowDots(basis_.rows.data(), rows, basis_.stride, basis_.nuisanceStart, latents, out.identityPart.data());
    const int start = n_ > 0 ? basis_.nuisanceStart : basis_.expressionStart;
    if (basis_.nuisanceStart < basis_.stride)
      Kernels::rowDots(basis_.rows.data() + start, rows, basis_.stride, basis_.stride - start, latents + start,
                       w_.linearPart.data());
    const ChartScalars s = chart(state);
    const double scale = exp(state.camera.logScale);
    const double inverseFocal = state.camera.weak ? 0 : exp(-state.camera.logFocal);
    bool valid = true;
    for (int i = 0; i < activeCount_; ++i) {
      const long at = 3L * w_.active[i];
      double shape[3];
      for (int a = 0; a < 3; ++a)
        shape[a] = static_cast<double>(basis_.mean[at + a]) + s.cosine * static_cast<double>(basis_.slack[at + a]) +
                   s.sinc * static_cast<double>(out.identityPart[at + a]) + static_cast<double>(w_.linearPart[at + a]);
      double* x = out.turned.data() + 3L * i;
      for (int a = 0; a < 3; ++a)
        x[a] = state.rotation[3 * a] * shape[0] + state.rotation[3 * a + 1] * shape[1] +
               state.rotation[3 * a + 2] * shape[2];
      const double* observed = w_.posePoints[i].observed;
      double* r = out.residual.data() + 3L * i;
      if (image_) {
        const Projection at2 = project(scale, inverseFocal, state.camera.p, state.camera.q, x);
        valid &= at2.depth > kMinimumDepth;
        r[0] = at2.u - observed[0];
        r[1] = at2.v - observed[1];
        r[2] = 0;
      } else {
        for (int a = 0; a < 3; ++a) r[a] = x[a] + state.translation[a] - observed[a];
      }
      out.squared[i] = (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) * w_.inverseVariance[i];
    }
    return valid;
  }

  double cost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    double landmarks = 0;
    const double sharpness = 1 / (blur_ * blur_);
    for (int i = 0; i < activeCount_; ++i)
      landmarks += robustCost(loss_, options_.degreesOfFreedom, dimensions_, sharpness * at.squared[i]);
    return landmarks + priorCost(state);
  }

  double priorCost(const FitState<Real>& state) const {
    const Real* v = state.latents.data();
    double identity = 0;
    if (model_.priorPrecision().empty()) {
      identity = squaredNorm(v, d_);
    } else {
      const double* precision = model_.priorPrecision().data();
      for (int i = 0; i < d_; ++i) {
        double sum = 0;
        for (int j = 0; j < d_; ++j) sum += precision[static_cast<long>(i) * d_ + j] * static_cast<double>(v[j]);
        identity += sum * static_cast<double>(v[i]);
      }
    }
    double expression = 0;
    for (int i = 0; i < e_; ++i) {
      const double z = (static_cast<double>(v[basis_.expressionStart + i]) - model_.expressionMean()[i]) /
                       static_cast<double>(model_.expressionStddev()[i]);
      expression += z * z;
    }
    double total = 0.5 * (options_.identityPrior * identity + options_.expressionPrior * expression);
    if (n_ > 0) total += 0.5 * squaredNorm(v + basis_.nuisanceStart, n_);
    if (estimateFocal_) {
      const double z = (state.camera.logFocal - focalPrior_) / options_.focalStddev;
      total += 0.5 * z * z;
    }
    return total;
  }

  // --- Normal equations ---------------------------------------------------------------------------------------------

  int unknowns() const { return d_ + poseCount_ + n_ + e_; }
  int poseStart() const { return d_; }
  int nuisanceColumn() const { return d_ + poseCount_; }
  int expressionColumn() const { return d_ + poseCount_ + n_; }

  // H and g of the current weights at a state that has been evaluated.
  void linearise(const FitState<Real>& state, const FitEvaluation<Real>& at) {
    const int n = unknowns(), ld = w_.ld;
    for (long i = 0; i < static_cast<long>(n) * ld; ++i) w_.hessian[i] = 0;
    for (int i = 0; i < ld; ++i) w_.gradient[i] = 0;
    const ChartScalars s = chart(state);
    const double scale = exp(state.camera.logScale);
    const double inverseFocal = state.camera.weak ? 0 : exp(-state.camera.logFocal);
    for (int first = 0; first < activeCount_; first += kChunkLandmarks) {
      const int last = first + kChunkLandmarks < activeCount_ ? first + kChunkLandmarks : activeCount_;
      int rows = 0;
      for (int i = first; i < last; ++i, rows += dimensions_) jacobianRows(state, at, s, scale, inverseFocal, i, rows);
      Kernels::addGram(w_.jacobian.data(), rows, n, ld, w_.hessian.data());
      Kernels::addGradient(w_.jacobian.data(), rows, n, ld, w_.weighted.data(), w_.gradient.data());
    }
    addPrior(state);
  }

  // The square root of landmark i's weight over its sigma.
  double weightRoot(const FitEvaluation<Real>& at, int i) const {
    return sqrt(robustWeight(loss_, options_.degreesOfFreedom, dimensions_, at.squared[i] / (blur_ * blur_)) *
                w_.inverseVariance[i]) /
           blur_;
  }

  // How a point x in camera axes is seen: derivatives by x, jx [d,3], and for an image by the camera, jc [2,4].
  void differentiate(const FitState<Real>& state, const double* x, double scale, double inverseFocal, double* jx,
                     double* jc) const {
    if (!image_) {
      for (int c = 0; c < 9; ++c) jx[c] = c % 4 == 0 ? 1 : 0;
      return;
    }
    const Projection here = project(scale, inverseFocal, state.camera.p, state.camera.q, x);
    projectionJacobian(scale, inverseFocal, here, jx);
    cameraJacobian(scale, inverseFocal, x, here, jc);
  }

  // The weighted rows of landmark i. The identity's columns in the chart: J_v = sinc J_u + (kappa (J_u v) / r^2 - sinc
  // j_t / r) v^T.
  void jacobianRows(const FitState<Real>& state, const FitEvaluation<Real>& at, const ChartScalars& s, double scale,
                    double inverseFocal, int i, int row) {
    const long landmark = w_.active[i];
    const double weight = weightRoot(at, i);
    const double* x = at.turned.data() + 3L * i;
    double jx[9], jc[8];
    differentiate(state, x, scale, inverseFocal, jx, jc);
    // The loss bends along the residual: w (nu - q) / (nu + q) there instead of w. Taking that into the Gauss-Newton
    // matrix turns reweighting's slow linear convergence into nearly Newton's (Triggs et al. 2000, section 4.3); kept
    // positive for outliers.
    double along = 1;
    if (loss_ == RobustLoss::kStudentT) {
      const double nu = options_.degreesOfFreedom, q = at.squared[i] / (blur_ * blur_);
      const double bend = (nu - q) / (nu + q);
      along = sqrt(bend > kLeastBend ? bend : kLeastBend);
      const double* r = at.residual.data() + 3L * i;
      const double r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
      const double alpha = r2 > 0 ? (1 - along) / r2 : 0;
      projectOut(alpha, r, jx, 3);
      if (image_) projectOut(alpha, r, jc, 4);
    }
    const float* bx = basis_.rows.data() + 3 * landmark * basis_.stride;
    const float* by = bx + basis_.stride;
    const float* bz = by + basis_.stride;
    const int width = basis_.nuisanceStart;  // of the identity's part of a row
    const Real* v = state.latents.data();
    for (int a = 0; a < dimensions_; ++a) {
      Real* out = w_.jacobian.data() + static_cast<long>(row + a) * w_.ld;
      const double* jxa = jx + 3 * a;
      double g[3];  // weight * du/dS
      for (int c = 0; c < 3; ++c)
        g[c] = weight * (jxa[0] * state.rotation[c] + jxa[1] * state.rotation[3 + c] + jxa[2] * state.rotation[6 + c]);
      Kernels::combine(static_cast<Real>(s.sinc * g[0]), bx, static_cast<Real>(s.sinc * g[1]), by,
                       static_cast<Real>(s.sinc * g[2]), bz, width, out);
      if (inverseRadius_ > 0) {
        double radial = 0;
        for (int c = 0; c < 3; ++c)
          radial += g[c] * (s.kappa * static_cast<double>(at.identityPart[3 * landmark + c]) * inverseRadius_ -
                            s.sinc * static_cast<double>(basis_.slack[3 * landmark + c]) * inverseRadius_);
        Kernels::addScaled(static_cast<Real>(radial * inverseRadius_), v, width, out);
      }
      // Each part overwrites the padding behind the one before.
      double rotational[3];
      cross(x, jxa, rotational);
      Real* pose = out + poseStart();
      for (int c = 0; c < 3; ++c) pose[c] = static_cast<Real>(weight * rotational[c]);
      for (int c = 3; c < poseCount_; ++c)
        pose[c] = static_cast<Real>(weight * (image_ ? jc[4 * a + c - 3] : jxa[c - 3]));
      const auto linear = [&](int begin, int end, Real* to) {
        Kernels::combine(static_cast<Real>(g[0]), bx + begin, static_cast<Real>(g[1]), by + begin,
                         static_cast<Real>(g[2]), bz + begin, end - begin, to);
      };
      if (n_ > 0) linear(basis_.nuisanceStart, basis_.expressionStart, out + nuisanceColumn());
      if (e_ > 0) linear(basis_.expressionStart, basis_.stride, out + expressionColumn());
      for (int c = unknowns(); c < w_.ld; ++c) out[c] = 0;
      w_.weighted[row + a] = static_cast<Real>(weight / along * at.residual[3L * i + a]);
    }
  }

  // J <- (I - alpha r r^T) J for the d rows of J.
  void projectOut(double alpha, const double* r, double* jacobian, int columns) const {
    for (int c = 0; c < columns; ++c) {
      double product = 0;
      for (int a = 0; a < dimensions_; ++a) product += r[a] * jacobian[a * columns + c];
      for (int a = 0; a < dimensions_; ++a) jacobian[a * columns + c] -= alpha * product * r[a];
    }
  }

  void addPrior(const FitState<Real>& state) {
    const int ld = w_.ld;
    const Real* v = state.latents.data();
    Real* h = w_.hessian.data();
    Real* g = w_.gradient.data();
    if (model_.priorPrecision().empty()) {
      for (int i = 0; i < d_; ++i) {
        h[static_cast<long>(i) * ld + i] += static_cast<Real>(options_.identityPrior);
        g[i] += static_cast<Real>(options_.identityPrior) * v[i];
      }
    } else {
      const double* precision = model_.priorPrecision().data();
      for (int i = 0; i < d_; ++i) {
        double sum = 0;
        for (int j = 0; j < d_; ++j) sum += precision[static_cast<long>(i) * d_ + j] * static_cast<double>(v[j]);
        g[i] += static_cast<Real>(options_.identityPrior * sum);
        for (int j = i; j < d_; ++j)
          h[static_cast<long>(i) * ld + j] +=
              static_cast<Real>(options_.identityPrior * precision[static_cast<long>(i) * d_ + j]);
      }
    }
    if (estimateFocal_) {
      const int at = poseStart() + 6;
      const double precision = 1 / (options_.focalStddev * options_.focalStddev);
      h[static_cast<long>(at) * ld + at] += static_cast<Real>(precision);
      g[at] += static_cast<Real>(precision * (state.camera.logFocal - focalPrior_));
    }
    for (int i = 0; i < n_; ++i) {
      const int at = nuisanceColumn() + i;
      h[static_cast<long>(at) * ld + at] += 1;
      g[at] += v[basis_.nuisanceStart + i];
    }
    for (int i = 0; i < e_; ++i) {
      const int at = expressionColumn() + i;
      const double stddev = model_.expressionStddev()[i];
      const Real precision = static_cast<Real>(options_.expressionPrior / (stddev * stddev));
      h[static_cast<long>(at) * ld + at] += precision;
      g[at] += precision * (v[basis_.expressionStart + i] - static_cast<Real>(model_.expressionMean()[i]));
    }
  }

  // --- Step ---------------------------------------------------------------------------------------------------------

  // The minimiser of the damped model within the expressions' bounds, in `step`; false where the system is not positive
  // definite.
  bool solveStep(const FitState<Real>& state, double damping) {
    const int n = unknowns(), ld = w_.ld, eliminated = expressionColumn();
    for (int i = 0; i < n; ++i) {
      const Real* from = w_.hessian.data() + static_cast<long>(i) * ld;
      Real* to = w_.damped.data() + static_cast<long>(i) * ld;
      for (int j = i; j < ld; ++j) to[j] = from[j];
      to[i] *= static_cast<Real>(1 + damping);
    }
    for (int i = 0; i < ld; ++i) w_.step[i] = i < n ? -w_.gradient[i] : 0;
    if (!Kernels::factor(w_.damped.data(), n, eliminated, ld)) return false;
    Kernels::forward(w_.damped.data(), n, eliminated, ld, w_.step.data());
    if (e_ > 0 && !solveExpression(state)) return false;
    Kernels::backward(w_.damped.data(), n, eliminated, ld, w_.step.data());
    return true;
  }

  bool solveExpression(const FitState<Real>& state) {
    const int ld = w_.ld, first = expressionColumn(), sld = w_.expressionLd;
    Real* s = w_.schur.data();
    for (int i = 0; i < e_; ++i) {
      const Real* row = w_.damped.data() + static_cast<long>(first + i) * ld + first;
      for (int j = i; j < e_; ++j) {
        s[static_cast<long>(i) * sld + j] = row[j];
        s[static_cast<long>(j) * sld + i] = row[j];
      }
    }
    Real* b = w_.boxVectors.data();
    Real* lower = b + sld;
    Real* upper = lower + sld;
    Real* step = upper + sld;
    for (int i = 0; i < e_; ++i) {
      b[i] = w_.step[first + i];
      const Real value = state.latents[basis_.expressionStart + i];
      lower[i] = options_.boundExpression ? static_cast<Real>(model_.expressionBounds()[2 * i]) - value
                                          : -static_cast<Real>(HUGE_VALF);
      upper[i] = options_.boundExpression ? static_cast<Real>(model_.expressionBounds()[2 * i + 1]) - value
                                          : static_cast<Real>(HUGE_VALF);
    }
    if (!solveBox<Kernels>(s, e_, sld, b, lower, upper, w_.boxState.data(), step, w_.boxWork.data(),
                           w_.boxIndex.data())) {
      for (int i = 0; i < e_; ++i) w_.boxState[i] = kFree;
      return false;
    }
    for (int i = 0; i < e_; ++i) w_.step[first + i] = step[i];
    return true;
  }

  // Shortens the step to the trust of each of its parts: an arc of 0.8 radians on the sphere, 0.6 of turn, factors of
  // e^0.7 in scale and e in focal length.
  double stepFraction() const {
    double fraction = 1;
    const auto limit = [&fraction](double length, double most) {
      if (length * fraction > most) fraction = most / length;
    };
    if (inverseRadius_ > 0) limit(sqrt(squaredNorm(w_.step.data(), d_)) * inverseRadius_, 0.8);
    const Real* pose = w_.step.data() + poseStart();
    limit(sqrt(squaredNorm(pose, 3)), 0.6);
    if (image_) {
      limit(fabs(static_cast<double>(pose[5])), 0.7);
      if (estimateFocal_) limit(fabs(static_cast<double>(pose[6])), 1);
    }
    return fraction;
  }

  // The decrease that the (undamped) quadratic model promises for fraction * step.
  double predictedDecrease(double fraction) const {
    const int n = unknowns(), ld = w_.ld;
    double linear = 0, quadratic = 0;
    for (int i = 0; i < n; ++i) {
      const double step = w_.step[i];
      const Real* row = w_.hessian.data() + static_cast<long>(i) * ld;
      linear -= step * static_cast<double>(w_.gradient[i]);
      quadratic +=
          step * (static_cast<double>(row[i]) * step +
                  2 * static_cast<double>(Kernels::dotProduct(row + i + 1, w_.step.data() + i + 1, n - i - 1)));
    }
    return fraction * linear - 0.5 * fraction * fraction * quadratic;
  }

  void retract(const FitState<Real>& from, double fraction, FitState<Real>& to) const {
    const Real f = static_cast<Real>(fraction);
    Real* v = to.latents.data();
    for (int i = 0; i < d_; ++i) v[i] = from.latents[i] + f * w_.step[i];
    if (inverseRadius_ > 0) {
      const double most = largestTangent_;
      const double norm = sqrt(squaredNorm(v, d_));
      if (norm > most)
        for (int i = 0; i < d_; ++i) v[i] *= static_cast<Real>(most / norm);
    }
    for (int i = 0; i < n_; ++i) {
      const int at = basis_.nuisanceStart + i;
      v[at] = from.latents[at] + f * w_.step[nuisanceColumn() + i];
    }
    for (int i = 0; i < e_; ++i) {
      Real value = from.latents[basis_.expressionStart + i] + f * w_.step[expressionColumn() + i];
      if (options_.boundExpression) {
        const Real lower = static_cast<Real>(model_.expressionBounds()[2 * i]),
                   upper = static_cast<Real>(model_.expressionBounds()[2 * i + 1]);
        value = value < lower ? lower : (value > upper ? upper : value);
      }
      v[basis_.expressionStart + i] = value;
    }
    const Real* pose = w_.step.data() + poseStart();
    const double omega[3] = {fraction * static_cast<double>(pose[0]), fraction * static_cast<double>(pose[1]),
                             fraction * static_cast<double>(pose[2])};
    double turn[9];
    rotationExp(omega, turn);
    multiply3x3(turn, from.rotation, to.rotation);
    orthonormalise(to.rotation);
    to.camera = from.camera;
    if (image_) {
      to.camera.p += fraction * static_cast<double>(pose[3]);
      to.camera.q += fraction * static_cast<double>(pose[4]);
      to.camera.logScale += fraction * static_cast<double>(pose[5]);
      if (estimateFocal_) {
        const double logFocal = from.camera.logFocal + fraction * static_cast<double>(pose[6]);
        const double low = focalPrior_ - 2.5, high = focalPrior_ + 4;
        to.camera.logFocal = logFocal < low ? low : (logFocal > high ? high : logFocal);
      }
    } else {
      for (int a = 0; a < 3; ++a) to.translation[a] = from.translation[a] + fraction * static_cast<double>(pose[3 + a]);
    }
  }

  // --- Levenberg-Marquardt ------------------------------------------------------------------------------------------

  void minimise(FitSolution& solution) {
    current_ = 0;
    loss_ = RobustLoss::kSquared;
    if (!evaluate(w_.states[0], w_.evaluations[0])) {
      solution.failure = FitFailure::kBehindCamera;
      return;
    }
    const double blur = blur_;
    useObjective(options_.loss, 1);
    solution.initialCost = cost(w_.states[0], w_.evaluations[0]);
    useObjective(RobustLoss::kSquared, blur);
    double value = cost(w_.states[0], w_.evaluations[0]);
    double damping = 1e-3, growth = 2;
    double decrease = 1;  // relative, of the last accepted step
    bool settled = false;
    solution.status = FitStatus::kMaxIterations;
    int iteration = 0;
    for (; iteration < options_.maxIterations; ++iteration) {
      // Blurred landmarks come into focus; then the robust loss takes over from the third iteration on, once the
      // squared loss has no more large strides to make: far from the solution everything looks like an outlier.
      if (iteration > 0 && blur_ > 1) {
        useObjective(loss_, blur_ > 2 ? blur_ / 2 : 1);
        value = cost(w_.states[current_], w_.evaluations[current_]);
        settled = false;
      } else if (loss_ != options_.loss && (settled || (iteration >= 2 && decrease < 0.5))) {
        useObjective(options_.loss, 1);
        value = cost(w_.states[current_], w_.evaluations[current_]);
        settled = false;
      }
      if (settled) break;
      const FitState<Real>& state = w_.states[current_];
      linearise(state, w_.evaluations[current_]);
      bool accepted = false;
      while (!accepted && !settled) {
        if (!solveStep(state, damping)) {
          damping *= 10;
          // A system that no damping makes positive definite holds a number that is not finite.
          if (!(damping < 1e12)) {
            solution.failure = FitFailure::kNumerical;
            return;
          }
          continue;
        }
        const double fraction = stepFraction();
        const double predicted = predictedDecrease(fraction);
        FitState<Real>& trial = w_.states[1 - current_];
        retract(state, fraction, trial);
        const bool valid = evaluate(trial, w_.evaluations[1 - current_]);
        const double trialValue = valid ? cost(trial, w_.evaluations[1 - current_]) : HUGE_VAL;
        const double gain = (value - trialValue) / predicted;
        if (trialValue <= value && predicted > 0) {
          accepted = true;
          current_ = 1 - current_;
          decrease = value > 0 ? (value - trialValue) / value : 0;
          value = trialValue;
          const double k = 2 * gain - 1;
          const double shrink = 1 - k * k * k;
          damping *= shrink > 1.0 / 5 ? shrink : 1.0 / 5;
          damping = damping > 1e-9 ? damping : 1e-9;
          growth = 2;
          // What is left to gain shrinks at least as fast as the model errs: no need to spend an iteration on seeing
          // it.
          const double rate = fabs(1 - gain) > damping ? fabs(1 - gain) : damping;
          settled =
              decrease * (rate < 1 ? rate : 1) < 0.3 * options_.costTolerance || decrease < options_.costTolerance;
        } else {
          // Nothing left to gain, or nothing that the arithmetic can still see.
          settled = !(predicted > options_.costTolerance * value) || !(damping < 1e9);
          damping *= growth;
          growth *= 2;
        }
      }
    }
    solution.iterations = iteration;
    if (blur_ == 1 && loss_ == options_.loss) {
      if (settled) solution.status = FitStatus::kConverged;
    } else {
      // The iterations ran out on the way to the objective: what is reported is about the objective all the same.
      useObjective(options_.loss, 1);
      value = cost(w_.states[current_], w_.evaluations[current_]);
      linearise(w_.states[current_], w_.evaluations[current_]);
    }
    solution.finalCost = value;
    solution.uncertainty = posteriorUncertainty();
    if (!isfinite(value) || !isfinite(solution.uncertainty)) solution.failure = FitFailure::kNumerical;
    if (solution.failure == FitFailure::kNone && solution.information && !reducedPosterior(solution))
      solution.failure = FitFailure::kNumerical;
  }

  void useObjective(RobustLoss loss, double blur) {
    loss_ = loss;
    blur_ = blur;
  }

  // The standard deviation of the identity's place on the sphere, in radians: sqrt(trace C) / r, C the posterior
  // covariance of v with all other unknowns integrated out (Laplace's approximation). Eliminating those leaves the
  // Schur complement of v: the information on the identity. The last linearisation serves: it was made a step that
  // gained next to nothing before the optimum.
  double posteriorUncertainty() {
    const int n = unknowns(), ld = w_.ld;
    Real* permuted = identityLast();
    if (!Kernels::factor(permuted, n, n, ld)) return NAN;
    const double trace = Kernels::inverseTrace(permuted, n - d_, n, ld, w_.inverse.data());
    // A flat (Gaussian) model has no radius; its latents' typical length stands in.
    return sqrt(trace) * (inverseRadius_ > 0 ? inverseRadius_ : 1 / sqrt(static_cast<double>(d_)));
  }

  // The normal matrix of v at the current state with all other unknowns eliminated, for whitenPosterior. Expressions at
  // their bounds are known; the others, and all nuisances, are integrated out. False where it is not to be had.
  bool reducedPosterior(FitSolution& solution) {
    const FitState<Real>& state = w_.states[current_];
    linearise(state, w_.evaluations[current_]);
    const int n = unknowns(), ld = w_.ld, others = n - d_;
    Real* h = identityLast();
    for (int i = 0; i < e_; ++i) {
      if (bound(state, i) == kFree) continue;
      const int at = others - e_ + i;
      for (int j = 0; j < at; ++j) h[static_cast<long>(j) * ld + at] = 0;
      for (int j = at; j < n; ++j) h[static_cast<long>(at) * ld + j] = j == at ? 1 : 0;
    }
    if (!Kernels::factor(h, n, others, ld)) return false;
    for (int i = 0; i < d_; ++i) {
      for (int j = 0; j <= i; ++j)
        solution.information[static_cast<long>(i) * (i + 1) / 2 + j] =
            static_cast<double>(h[static_cast<long>(others + j) * ld + others + i]);
      solution.shift[i] = static_cast<double>(state.latents[i]);
    }
    return true;
  }

  BoundState bound(const FitState<Real>& state, int expression) const {
    const Real value = state.latents[basis_.expressionStart + expression];
    if (!options_.boundExpression) return kFree;
    if (value <= static_cast<Real>(model_.expressionBounds()[2 * expression])) return kAtLower;
    return value >= static_cast<Real>(model_.expressionBounds()[2 * expression + 1]) ? kAtUpper : kFree;
  }

  // The normal matrix as [pose, nuisances, expression, v].
  Real* identityLast() {
    const int n = unknowns(), ld = w_.ld, others = n - d_;
    Real* permuted = w_.damped.data();
    for (int i = 0; i < n; ++i) {
      const Real* from = w_.hessian.data() + static_cast<long>(i) * ld;
      if (i < d_) {
        Real* to = permuted + static_cast<long>(others + i) * ld + others;
        for (int j = i; j < d_; ++j) to[j] = from[j];
        for (int j = d_; j < n; ++j) permuted[static_cast<long>(j - d_) * ld + others + i] = from[j];
      } else {
        Real* to = permuted + static_cast<long>(i - d_) * ld - d_;
        for (int j = i; j < n; ++j) to[j] = from[j];
      }
    }
    return permuted;
  }

  // --- Results ------------------------------------------------------------------------------------------------------

  void report(FitSolution& solution) {
    if (solution.failure == FitFailure::kNone) {
      // The weights are the likelihood's; all else is of the face that is reported, without its nuisances.
      const double full = robustWeight(loss_, options_.degreesOfFreedom, dimensions_, 0);
      for (int i = 0; i < activeCount_; ++i)
        solution.robustWeights[w_.active[i]] = static_cast<float>(
            robustWeight(loss_, options_.degreesOfFreedom, dimensions_, w_.evaluations[current_].squared[i]) / full);
      if (n_ > 0 && settles_ && !solution.linearisation) settleWithoutNuisances();
    }
    const FitState<Real>& state = w_.states[current_];
    const FitEvaluation<Real>& at = w_.evaluations[current_];
    const Camera& camera = state.camera;
    for (int i = 0; i < 9; ++i) solution.rotation[i] = state.rotation[i];
    const double scale = image_ ? exp(camera.logScale) : 1;
    solution.scale = scale;
    solution.focal = image_ && !camera.weak ? exp(camera.logFocal) : 0;
    for (int a = 0; a < 2; ++a) solution.principal[a] = camera.principal[a];
    if (image_) {
      solution.translation[0] = camera.p / scale;
      solution.translation[1] = camera.q / scale;
      solution.translation[2] = camera.weak ? 0 : solution.focal / scale;
    } else {
      for (int a = 0; a < 3; ++a) solution.translation[a] = state.translation[a];
    }

    double* tangent = w_.latentVectors[0].data();
    double* latent = w_.latentVectors[1].data();
    double* direction = w_.latentVectors[2].data();
    for (int i = 0; i < d_; ++i) tangent[i] = static_cast<double>(state.latents[i]);
    model_.latentFromTangent(tangent, latent, direction);
    for (int i = 0; i < model_.identityCount(); ++i) solution.identity[i] = static_cast<float>(latent[i]);
    for (int i = 0; i < d_; ++i) solution.embedding[i] = static_cast<float>(direction[i]);
    for (int i = 0; i < e_; ++i) solution.expression[i] = static_cast<float>(state.latents[basis_.expressionStart + i]);
    if (solution.failure != FitFailure::kNone) return;

    const FitEvaluation<Real>& bare = n_ > 0 && solution.linearisation ? withoutNuisances() : at;
    double sum = 0;
    for (int i = 0; i < activeCount_; ++i) {
      const double* r = bare.residual.data() + 3L * i;
      const double squared = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
      sum += squared;
      solution.residuals[w_.active[i]] = static_cast<float>(sqrt(squared));
    }
    solution.rmse = sqrt(sum / activeCount_);
    // A face whose landmarks miss by more than a centimetre is not that face.
    constexpr double kPlausibleError = 10;  // mm
    solution.usable =
        isfinite(solution.rmse) && isfinite(solution.uncertainty) && solution.rmse < kPlausibleError * scale;
    if (solution.linearisation) report(*solution.linearisation, bare);
  }

  void report(const FitLinearisation& to, const FitEvaluation<Real>& bare) const {
    const FitState<Real>& state = w_.states[current_];
    const FitEvaluation<Real>& at = w_.evaluations[current_];
    const Real* latents = state.latents.data();
    for (int i = 0; i < d_; ++i) to.identity[i] = static_cast<double>(latents[i]);
    for (int i = 0; i < basis_.nuisanceCount; ++i)
      to.nuisances[i] = static_cast<double>(latents[basis_.nuisanceStart + i]);
    for (int i = 0; i < e_; ++i) {
      to.expression[i] = static_cast<double>(latents[basis_.expressionStart + i]);
      to.bounds[i] = bound(state, i);
    }
    const double scale = exp(state.camera.logScale);
    const double inverseFocal = state.camera.weak ? 0 : exp(-state.camera.logFocal);
    for (int i = 0; i < activeCount_; ++i) {
      const double weight = weightRoot(at, i);
      const double* x = at.turned.data() + 3L * i;
      double jx[9], jc[8];
      differentiate(state, x, scale, inverseFocal, jx, jc);
      to.weights[w_.active[i]] = weight;
      for (int a = 0; a < dimensions_; ++a) {
        const long row = static_cast<long>(w_.active[i]) * dimensions_ + a;
        const double* jxa = jx + 3 * a;
        const double* r = state.rotation;
        for (int c = 0; c < 3; ++c)
          to.derivatives[3 * row + c] = weight * (jxa[0] * r[c] + jxa[1] * r[3 + c] + jxa[2] * r[6 + c]);
        double* pose = to.pose + kPoseCapacity * row;
        cross(x, jxa, pose);
        for (int c = 0; c < 3; ++c) pose[c] *= weight;
        for (int c = 3; c < poseCount_; ++c) pose[c] = weight * (image_ ? jc[4 * a + c - 3] : jxa[c - 3]);
        to.residuals[row] = weight * at.residual[3L * i + a];
        to.bareResiduals[row] = weight * bare.residual[3L * i + a];
      }
    }
  }

  // Drops the nuisances and lets pose, camera and expressions settle anew with the identity held: what they shared with
  // the nuisances is theirs now. The problem is all but quadratic there, so that two steps do.
  void settleWithoutNuisances() {
    constexpr int kSteps = 2;
    constexpr double kDamping = 1e-3;
    withoutNuisances();
    current_ = 1 - current_;
    double value = cost(w_.states[current_], w_.evaluations[current_]);
    for (int step = 0; step < kSteps; ++step) {
      const FitState<Real>& state = w_.states[current_];
      linearise(state, w_.evaluations[current_]);
      hold(0, d_);
      hold(nuisanceColumn(), nuisanceColumn() + n_);
      if (!solveStep(state, kDamping)) return;
      FitState<Real>& trial = w_.states[1 - current_];
      retract(state, stepFraction(), trial);
      if (!evaluate(trial, w_.evaluations[1 - current_])) return;
      const double trialValue = cost(trial, w_.evaluations[1 - current_]);
      if (!(trialValue < value)) return;
      current_ = 1 - current_;
      value = trialValue;
    }
  }

  // Takes unknowns out of the system: their step will be zero.
  void hold(int first, int last) {
    const int n = unknowns(), ld = w_.ld;
    for (int i = first; i < last; ++i) {
      for (int j = 0; j < i; ++j) w_.hessian[static_cast<long>(j) * ld + i] = 0;
      for (int j = i; j < n; ++j) w_.hessian[static_cast<long>(i) * ld + j] = 0;
      w_.hessian[static_cast<long>(i) * ld + i] = 1;
      w_.gradient[i] = 0;
    }
  }

  // What the current state predicts with its nuisances at zero. Takes the place of the last trial.
  const FitEvaluation<Real>& withoutNuisances() {
    const FitState<Real>& from = w_.states[current_];
    FitState<Real>& to = w_.states[1 - current_];
    for (int i = 0; i < basis_.stride; ++i) to.latents[i] = from.latents[i];
    for (int i = 0; i < n_; ++i) to.latents[basis_.nuisanceStart + i] = 0;
    for (int i = 0; i < 9; ++i) to.rotation[i] = from.rotation[i];
    for (int a = 0; a < 3; ++a) to.translation[a] = from.translation[a];
    to.camera = from.camera;
    evaluate(to, w_.evaluations[1 - current_]);
    return w_.evaluations[1 - current_];
  }

  const FaceModel& model_;
  const LandmarkBasis& basis_;
  const FitOptions& options_;
  const bool image_;
  const int dimensions_;
  FitWorkspace<Real>& w_;
  const int d_, n_, e_;  // identities, nuisances, expressions
  const double inverseRadius_, largestTangent_;
  const FitProblem* problem_ = nullptr;
  int activeCount_ = 0;
  int poseCount_ = 6;
  bool estimateFocal_ = false;
  double focalPrior_ = 0;
  double blur_ = 1;  // factor on every sigma, falling to 1 in the first iterations
  RobustLoss loss_ = RobustLoss::kSquared;
  bool settles_ = true;  // the tests look at the optimum itself
  int current_ = 0;
};

}  // namespace
}  // namespace sfm
