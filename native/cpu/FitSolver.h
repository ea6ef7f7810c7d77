// Levenberg-Marquardt for one face (docs/fitting.md). The unknowns are ordered
//     [ v: identity in normal coordinates | pose and camera | nuisances | e: expressions ]
// so that eliminating all but the last leaves the expressions' Schur complement, on which the bounds are imposed exactly.
// `Kernels` supplies the products in one precision and instruction set; everything else is the same code for all of
// them.
#pragma once

#include <math.h>

#include "core/Descent.h"
#include "core/Fit.h"
#include "core/FitPose.h"
#include "core/FitSeed.h"
#include "core/FitStart.h"
#include "core/LandmarkRows.h"
#include "core/Sphere.h"
#include "cpu/BoxQuadratic.h"
#include "cpu/FitWorkspace.h"
#include "cpu/LandmarkBlock.h"

namespace sfm {
namespace {

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
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNone &&
        objective_.blur > kSinglePrecisionBlur)
      return false;
    if (solution.failure == FitFailure::kNone) minimise(solution);
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNumerical) return false;
    if (solution.failure != FitFailure::kNone) solution.status = FitStatus::kFailed;
    report(solution);
    return true;
  }

 protected:  // JointSolver does the same in other steps
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
      setRestPose(image_, &state);
    }
    activeCount_ = 0;
  }

  FitFailure selectLandmarks() {
    extent_ = {};
    for (int landmark : basis_.present) {
      PosePoint& point = w_.posePoints[activeCount_];
      if (!posePoint(*problem_, dimensions_, landmark, basis_.mean.data() + 3L * landmark,
                     basis_.slack.data() + 3L * landmark, basis_.noiseFactors[landmark], &point))
        continue;
      include(point, &extent_);
      w_.active[activeCount_++] = landmark;
    }
    return checkLandmarks(image_, activeCount_, extent_);
  }

  // `checked`: the landmarks have been found to determine a pose.
  FitFailure start(bool checked = false) {
    part_ = whole();
    PosePoint* points = w_.posePoints.data();
    FitState<Real>& state = w_.states[0];
    PoseMoments moments = {};
    FitFailure failure = FitFailure::kNone;
    if (!checked) {
      moments = poseMoments(OneLane(), points, activeCount_, dimensions_);
      failure = checkMoments(moments);
    }
    if (failure != FitFailure::kNone) return failure;
    freedom_ = {image_, false, 0};
    if (image_) {
      failure = startCamera(*problem_, options_.weakPerspective, extent_, &state.camera, &freedom_);
      if (failure != FitFailure::kNone) return failure;
      // From here on pixels are counted from the principal point.
      for (int a = 0; a < 2; ++a) {
        for (int i = 0; i < activeCount_; ++i) points[i].observed[a] -= state.camera.principal[a];
        moments.observed[a] -= state.camera.principal[a];
      }
      failure = problem_->seed ? FitFailure::kNone
                               : startImage(typename Kernels::Lanes(), points, activeCount_, moments, &state);
      if (failure != FitFailure::kNone) return failure;
    } else if (!problem_->seed) {
      startScan(moments, &state);
    }
    poseCount_ = poseUnknowns(freedom_);
    for (int i = 0; i < e_; ++i) {
      state.latents[basis_.expressionStart + i] =
          static_cast<Real>(startExpression(options_, model_.expressionBounds() + 2 * i));
      w_.boxState[i] = kFree;
    }
    if (problem_->seed) readSeed(basis_, problem_->seed, n_ > 0, &state, state.latents.data());
    const double given = problem_->seed ? problem_->seed[kSeedNoise] : problem_->noise;
    const StartNoise noise = startNoise(options_, given, image_, state);
    noise_ = noise.sigma;
    sizeDrift_ = image_ && problem_->sizeFree && problem_->seed ? problem_->seed[kSeedDrift] : 0;
    for (int i = 0; i < activeCount_; ++i) w_.inverseVariance[i] = points[i].weight / (noise.sigma * noise.sigma);
    objective_ = {RobustLoss::kSquared, noise.blur};
    return FitFailure::kNone;
  }

  // --- Objective ----------------------------------------------------------------------------------------------------

  ChartScalars chart(const FitState<Real>& state) const {
    return chartScalars(sqrt(squaredNorm(state.latents.data(), d_)) * inverseRadius_);
  }

  static constexpr double kLargestProduct = 1e100;  // of what robustCost takes the logarithm of

  // Of a step from the current state.
  bool evaluateTrial(const FitState<Real>& trial, FitEvaluation<Real>& out) {
    const bool held = part_.identities == 0 && sameIdentity(trial, w_.states[current_]);
    return evaluate(trial, out, held ? &w_.evaluations[current_] : nullptr);
  }

  bool sameIdentity(const FitState<Real>& a, const FitState<Real>& b) const {
    for (int i = 0; i < d_; ++i)
      if (a.latents[i] != b.latents[i]) return false;
    return true;
  }

  // Predictions and residuals of a state; false where a landmark falls behind the camera or a number overflows. `known`: of
  // one that has the same identity.
  bool evaluate(const FitState<Real>& state, FitEvaluation<Real>& out, const FitEvaluation<Real>* known = nullptr) {
    const int rows = 3 * basis_.landmarkCount;
    const Real* latents = state.latents.data();
    if (known) {
      for (int i = 0; i < rows; ++i) out.identityPart[i] = known->identityPart[i];
      for (int i = 0; i < d_; ++i) out.identityPull[i] = known->identityPull[i];
    } else {
      Kernels::rowDots(basis_.rows.data(), rows, basis_.stride, basis_.nuisanceStart, latents, out.identityPart.data());
      pullIdentity(latents, out.identityPull.data());
    }
    const int start = n_ > 0 ? basis_.nuisanceStart : basis_.expressionStart;
    if (basis_.nuisanceStart < basis_.stride)
      Kernels::rowDots(basis_.rows.data() + start, rows, basis_.stride, basis_.stride - start, latents + start,
                       w_.linearPart.data());
    const ChartScalars s = chart(state);
    const Sight sight = sightOf(state);
    bool valid = true;
    for (int i = 0; i < activeCount_; ++i) {
      const long at = 3L * w_.active[i];
      double shape[3];
      for (int a = 0; a < 3; ++a)
        shape[a] = static_cast<double>(basis_.mean[at + a]) + s.cosine * static_cast<double>(basis_.slack[at + a]) +
                   s.sinc * static_cast<double>(out.identityPart[at + a]) + static_cast<double>(w_.linearPart[at + a]);
      double* r = out.residual.data() + 3L * i;
      valid &= seeLandmark(image_, state, sight, shape, w_.posePoints[i].observed, out.turned.data() + 3L * i, r);
      out.squared[i] = (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) * w_.inverseVariance[i];
    }
    return valid;
  }

  // C^-1 (v - m)
  void pullIdentity(const Real* v, double* pull) const {
    const double* precision = priorPrecision();
    double* offset = precision ? w_.identityOffset.data() : pull;
    for (int i = 0; i < d_; ++i) offset[i] = fromPriorMean(v, i);
    if (precision) combineRows(precision, offset, d_, pull);
  }

  // The sum of the rows [n,n], each times its factor. A function of its own, row after row: this makes vectors of it and
  // keeps the order of every sum; inlined, GCC 12 mixes it with what is around it and does not.
  SFM_NEVER_INLINE static void combineRows(const double* SFM_RESTRICT rows, const double* SFM_RESTRICT factors, int n,
                                           double* SFM_RESTRICT sum) {
    for (int i = 0; i < n; ++i) sum[i] = 0;
    for (int j = 0; j < n; ++j, rows += n) {
      const double factor = factors[j];
      for (int i = 0; i < n; ++i) sum[i] += factor * rows[i];
    }
  }

  double cost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    const double sharpness = 1 / (objective_.blur * objective_.blur);
    double landmarks = 0;
    if (objective_.loss == RobustLoss::kSquared) {
      for (int i = 0; i < activeCount_; ++i) landmarks += 0.5 * sharpness * at.squared[i];
    } else {
      // robustCost of each; the sum of the logarithms is that of the product, which is taken before it is too large.
      const double nu = options_.degreesOfFreedom;
      double product = 1;
      for (int i = 0; i < activeCount_; ++i) {
        product *= 1 + sharpness / nu * at.squared[i];
        if (!(product < kLargestProduct)) {
          landmarks += log(product);
          product = 1;
        }
      }
      landmarks = 0.5 * (nu + dimensions_) * (landmarks + log(product));
    }
    return landmarks + priorCost(state, at);
  }

  double priorCost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    double total = latentCost(state, at) + sizeDrift_ * state.camera.logScale;
    if (freedom_.estimateFocal) {
      const double z = (state.camera.logFocal - freedom_.focalPrior) / options_.focalStddev;
      total += 0.5 * z * z;
    }
    return total;
  }

  double identityCost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    double sum = 0;
    for (int i = 0; i < d_; ++i) sum += at.identityPull[i] * fromPriorMean(state.latents.data(), i);
    return 0.5 * priorWeight() * sum;
  }

  // Of what is the image's own: without the identity where that has the model's prior.
  double ownCost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    return latentCost(state, at) - (problem_->identityPrior ? 0 : identityCost(state, at));
  }

  // Of identity, expressions and nuisances.
  double latentCost(const FitState<Real>& state, const FitEvaluation<Real>& at) const {
    const Real* v = state.latents.data();
    double expression = 0;
    for (int i = 0; i < e_; ++i) {
      const double z = (static_cast<double>(v[basis_.expressionStart + i]) - model_.expressionMean()[i]) /
                       static_cast<double>(model_.expressionStddev()[i]);
      expression += z * z;
    }
    double total = identityCost(state, at) + 0.5 * options_.expressionPrior * expression;
    if (n_ > 0) total += 0.5 * squaredNorm(v + basis_.nuisanceStart, n_);
    return total;
  }

  // The identity's prior: the problem's own, or the model's. [D,D], null: the identity matrix.
  const double* priorPrecision() const {
    if (problem_->identityPrior) return problem_->identityPrior->precision;
    return model_.priorPrecision().empty() ? nullptr : model_.priorPrecision().data();
  }

  double priorWeight() const { return problem_->identityPrior ? 1 : options_.identityPrior; }

  double fromPriorMean(const Real* v, int i) const {
    return static_cast<double>(v[i]) - (problem_->identityPrior ? problem_->identityPrior->mean[i] : 0);
  }

  // --- Normal equations ---------------------------------------------------------------------------------------------

  // What the system is about besides pose and expressions: the first of the identities, the first of the nuisances.
  // The others keep their values.
  struct Part {
    int identities, nuisances;
  };
  Part whole() const { return {d_, n_}; }
  bool isWhole() const { return part_.identities == d_ && part_.nuisances == n_; }

  // What the first strides are made with.
  Part coarse() const {
    return beginsCoarsely(d_, n_, objective_) ? Part{d_ < kCoarseIdentities ? d_ : kCoarseIdentities, 0} : whole();
  }

  // Where the unknowns stand in the system: as above, or as [ nuisances | e | pose and camera | v ].
  int unknowns() const { return part_.identities + poseCount_ + part_.nuisances + e_; }
  int tiledUnknowns() const { return wholeTiles(unknowns()); }
  int identityColumn() const { return identityLast_ ? part_.nuisances + e_ + poseCount_ : 0; }
  int poseStart() const { return identityLast_ ? part_.nuisances + e_ : part_.identities; }
  int nuisanceColumn() const { return identityLast_ ? 0 : part_.identities + poseCount_; }
  int expressionColumn() const { return nuisanceColumn() + part_.nuisances; }
  // Of the c-th unknown of pose and camera: log s is the last of them before v, and changes places with log f.
  int poseColumn(int c) const {
    return poseStart() +
           (identityLast_ && freedom_.estimateFocal && c >= kScaleUnknown ? kScaleUnknown + kFocalUnknown - c : c);
  }
  static constexpr int kScaleUnknown = 5, kFocalUnknown = 6;  // 3 rotation, p, q, log s[, log f]

  // g of the current weights at a state that has been evaluated.
  void differentiate(const FitState<Real>& state, const FitEvaluation<Real>& at) { differentiate<false>(state, at); }

  // The same, and H.
  void linearise(const FitState<Real>& state, const FitEvaluation<Real>& at) {
    factored_ = false;
    differentiate<true>(state, at);
    addPrior();
  }

  template <bool kMatrix>
  void differentiate(const FitState<Real>& state, const FitEvaluation<Real>& at) {
    const ChartScalars s = chart(state);
    const Sight sight = sightOf(state);
    Real* coefficients = w_.coefficientGradient.data();
    for (int i = 0; i < basis_.stride; ++i) coefficients[i] = 0;
    double pose[kPoseCapacity] = {0}, radial = 0;
    int rows = 0;  // of the Jacobian that are not in H yet
    LandmarkBlock block;
    for (int i = 0; i < activeCount_; ++i) {
      const int place = i % LandmarkBlock::kSize;
      if (place == 0) differentiateBlock(i, state, sight, at, &block);
      const long landmark = w_.active[i];
      const Real* identityPart = at.identityPart.data() + 3 * landmark;
      double shape[3] = {0};
      for (int a = 0; a < dimensions_; ++a) {
        const LandmarkRow row = block.row(place, a);
        for (int c = 0; c < 3; ++c) shape[c] += row.residual * row.shape[c];
        for (int c = 0; c < kPoseCapacity; ++c) pose[c] += row.residual * row.pose[c];
        if (kMatrix) {
          differentiateByUnknowns(state, s, row, identityPart, landmark, jacobianRow(rows));
          if (rough_ && rows % 2 == 1) pack(rows);
          ++rows;
        }
      }
      const float* bx = basis_.rows.data() + 3 * landmark * basis_.stride;
      Kernels::addCombination(static_cast<Real>(shape[0]), bx, static_cast<Real>(shape[1]), bx + basis_.stride,
                              static_cast<Real>(shape[2]), bx + 2 * basis_.stride, basis_.stride, coefficients);
      if (inverseRadius_ > 0)
        radial += radialDerivative(shape, s, identityPart, basis_.slack.data() + 3 * landmark, inverseRadius_);
      const bool full = (i + 1) % kChunkLandmarks == 0 || i + 1 == activeCount_;
      if (kMatrix && full) {
        addToHessian(i >= kChunkLandmarks, rows);
        rows = 0;
      }
    }
    const Real sinc = static_cast<Real>(s.sinc), along = static_cast<Real>(radial * inverseRadius_);
    Real* g = w_.gradient.data();
    Real* identity = g + identityColumn();
    for (int i = 0; i < part_.identities; ++i) identity[i] = sinc * coefficients[i] + along * state.latents[i];
    for (int c = 0; c < poseCount_; ++c) g[poseColumn(c)] = static_cast<Real>(pose[c]);
    for (int i = 0; i < part_.nuisances; ++i) g[nuisanceColumn() + i] = coefficients[basis_.nuisanceStart + i];
    for (int i = 0; i < e_; ++i) g[expressionColumn() + i] = coefficients[basis_.expressionStart + i];
    addPriorGradient(state, at);
  }

  // The rows of the landmarks from the first one on.
  void differentiateBlock(int first, const FitState<Real>& state, const Sight& sight, const FitEvaluation<Real>& at,
                          LandmarkBlock* block) const {
    for (int l = 0; l < LandmarkBlock::kSize && first + l < activeCount_; ++l) {
      const long i = first + l;
      block->set(l, at.turned.data() + 3 * i, at.residual.data() + 3 * i, at.squared[i], w_.inverseVariance[i]);
    }
    block->differentiate(image_, objective_, options_.degreesOfFreedom, state, sight);
  }

  // H = J^T J, or H += J^T J, of that many rows.
  void addToHessian(bool add, int rows) {
    if constexpr (Kernels::kRough) {
      if (rough_) {
        if (rows % 2 == 1) {
          Real* last = jacobianRow(rows);
          for (int c = 0; c < tiledUnknowns(); ++c) last[c] = 0;
          pack(rows);
        }
        Kernels::roughGram(add, w_.packed.data(), (rows + 1) / 2, kPairCapacity, unknowns(), w_.ld, w_.hessian.data());
        return;
      }
    }
    Kernels::gram(add, w_.jacobian.data(), rows, unknowns(), w_.ld, w_.hessian.data());
  }

  // Where a row of the Jacobian is made: with all those of a chunk, or beside the one it is packed with.
  Real* jacobianRow(int row) const {
    const int place = Kernels::kRough && rough_ ? row % 2 : row;
    return w_.jacobian.data() + static_cast<long>(place) * w_.ld;
  }

  // Packs the row with the one before it.
  void pack(int row) {
    if constexpr (Kernels::kRough)
      Kernels::packRows(w_.jacobian.data(), unknowns(), w_.ld, row / 2, kPairCapacity, w_.packed.data());
  }

  // One row of the Jacobian, by all unknowns. The identity's columns are the flat ones and a rank-one update.
  void differentiateByUnknowns(const FitState<Real>& state, const ChartScalars& s, const LandmarkRow& from,
                               const Real* identityPart, long landmark, Real* out) {
    const float* bx = basis_.rows.data() + 3 * landmark * basis_.stride;
    const float* by = bx + basis_.stride;
    const float* bz = by + basis_.stride;
    const double* g = from.shape;
    const auto writeIdentity = [&] {
      const int width = wholeTiles(part_.identities);  // within the identity's part of a row
      Real* to = out + identityColumn();
      Kernels::combine(static_cast<Real>(s.sinc * g[0]), bx, static_cast<Real>(s.sinc * g[1]), by,
                       static_cast<Real>(s.sinc * g[2]), bz, width, to);
      if (inverseRadius_ > 0) {
        const double radial = radialDerivative(g, s, identityPart, basis_.slack.data() + 3 * landmark, inverseRadius_);
        Kernels::addScaled(static_cast<Real>(radial * inverseRadius_), state.latents.data(), width, to);
      }
    };
    const auto writePose = [&] {
      for (int c = 0; c < poseCount_; ++c) out[poseColumn(c)] = static_cast<Real>(from.pose[c]);
    };
    const auto writeLinear = [&](int begin, int end, int column) {
      Kernels::combine(static_cast<Real>(g[0]), bx + begin, static_cast<Real>(g[1]), by + begin,
                       static_cast<Real>(g[2]), bz + begin, end - begin, out + column);
    };
    // From the first column to the last: each part overwrites the padding behind the one before, and the next row that
    // behind the last one.
    if (!identityLast_) {
      writeIdentity();
      writePose();
    }
    if (part_.nuisances > 0) writeLinear(basis_.nuisanceStart, basis_.expressionStart, nuisanceColumn());
    if (e_ > 0) writeLinear(basis_.expressionStart, basis_.stride, expressionColumn());
    if (identityLast_) {
      writePose();
      writeIdentity();
    }
    const int written = identityLast_ ? identityColumn() + wholeTiles(part_.identities)
                                      : expressionColumn() + basis_.stride - basis_.expressionStart;
    for (int c = written; c < tiledUnknowns(); ++c) out[c] = 0;
  }

  // The priors' part of g,
  void addPriorGradient(const FitState<Real>& state, const FitEvaluation<Real>& at) {
    const Real* v = state.latents.data();
    Real* g = w_.gradient.data();
    Real* identity = g + identityColumn();
    for (int i = 0; i < part_.identities; ++i) identity[i] += static_cast<Real>(priorWeight() * at.identityPull[i]);
    if (image_) g[poseColumn(kScaleUnknown)] += static_cast<Real>(sizeDrift_);
    if (freedom_.estimateFocal)
      g[poseColumn(kFocalUnknown)] +=
          static_cast<Real>(focalPrecision() * (state.camera.logFocal - freedom_.focalPrior));
    for (int i = 0; i < part_.nuisances; ++i) g[nuisanceColumn() + i] += v[basis_.nuisanceStart + i];
    for (int i = 0; i < e_; ++i)
      g[expressionColumn() + i] +=
          expressionPrecision(i) * (v[basis_.expressionStart + i] - static_cast<Real>(model_.expressionMean()[i]));
  }

  // and of H.
  void addPrior() {
    const int ld = w_.ld;
    const auto add = [&](int i, int j, double precision) {
      w_.hessian[static_cast<long>(i) * ld + j] += static_cast<Real>(precision);
    };
    const double* precision = priorPrecision();
    const int identity = identityColumn(), focal = poseColumn(kFocalUnknown);
    for (int i = 0; i < part_.identities; ++i) {
      if (!precision) add(identity + i, identity + i, options_.identityPrior);
      for (int j = i; precision && j < part_.identities; ++j)
        add(identity + i, identity + j, priorWeight() * precision[static_cast<long>(i) * d_ + j]);
    }
    if (freedom_.estimateFocal) add(focal, focal, focalPrecision());
    for (int i = nuisanceColumn(); i < expressionColumn(); ++i) add(i, i, 1);
    for (int i = 0; i < e_; ++i) add(expressionColumn() + i, expressionColumn() + i, expressionPrecision(i));
  }

  double focalPrecision() const { return 1 / (options_.focalStddev * options_.focalStddev); }

  Real expressionPrecision(int i) const {
    const double stddev = model_.expressionStddev()[i];
    return static_cast<Real>(options_.expressionPrior / (stddev * stddev));
  }

  // --- Step ---------------------------------------------------------------------------------------------------------

  // The minimiser of the damped model within the expressions' bounds, in `step`; false where the system is not positive
  // definite.
  bool solveStep(const FitState<Real>& state, double damping) {
    const int n = unknowns(), ld = w_.ld, eliminated = expressionColumn();
    if (!factored_) {
      for (int i = 0; i < n; ++i) {
        const Real* from = w_.hessian.data() + static_cast<long>(i) * ld;
        Real* to = w_.damped.data() + static_cast<long>(i) * ld;
        for (int j = i; j < ld; ++j) to[j] = from[j];
        to[i] *= static_cast<Real>(1 + damping);
      }
      if (!Kernels::factor(w_.damped.data(), n, eliminated, ld)) return false;
      factored_ = true;
      copied_ = false;
      factoredDamping_ = damping;
    }
    for (int i = 0; i < ld; ++i) w_.step[i] = i < n ? -w_.gradient[i] : 0;
    Kernels::forward(w_.damped.data(), n, eliminated, ld, w_.step.data());
    if (e_ > 0 && !solveExpression(state)) return false;
    Kernels::backward(w_.damped.data(), n, eliminated, ld, w_.step.data());
    return true;
  }

  bool solveExpression(const FitState<Real>& state) {
    const int ld = w_.ld, first = expressionColumn(), sld = w_.expressionLd;
    Real* s = w_.schur.data();
    for (int i = 0; i < e_ && !copied_; ++i) {
      const Real* row = w_.damped.data() + static_cast<long>(first + i) * ld + first;
      for (int j = i; j < e_; ++j) {
        s[static_cast<long>(i) * sld + j] = row[j];
        s[static_cast<long>(j) * sld + i] = row[j];
      }
    }
    if (!copied_) boxFactored_ = false;
    copied_ = true;
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
    if (!solveBox<Kernels>(s, e_, sld, b, lower, upper, w_.boxState.data(), step, w_.boxWork.data(), w_.boxIndex.data(),
                           &boxFactored_)) {
      for (int i = 0; i < e_; ++i) w_.boxState[i] = kFree;
      return false;
    }
    for (int i = 0; i < e_; ++i) w_.step[first + i] = step[i];
    return true;
  }

  // The part of the step that belongs to the pose.
  void poseStep(double* step) const {
    for (int c = 0; c < poseCount_; ++c) step[c] = static_cast<double>(w_.step[poseColumn(c)]);
  }

  double stepFraction() const {
    double step[kPoseCapacity];
    poseStep(step);
    const Real* v = w_.step.data() + identityColumn();
    const double arc = inverseRadius_ > 0 ? sqrt(squaredNorm(v, part_.identities)) * inverseRadius_ : 0;
    return trustedFraction(freedom_, arc, step);
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
    const Real* identity = w_.step.data() + identityColumn();
    for (int i = 0; i < d_; ++i) v[i] = i < part_.identities ? from.latents[i] + f * identity[i] : from.latents[i];
    if (inverseRadius_ > 0) {
      const double most = largestTangent_;
      const double norm = sqrt(squaredNorm(v, d_));
      if (norm > most)
        for (int i = 0; i < d_; ++i) v[i] *= static_cast<Real>(most / norm);
    }
    for (int i = 0; i < n_; ++i) {
      const int at = basis_.nuisanceStart + i;
      v[at] = i < part_.nuisances ? from.latents[at] + f * w_.step[nuisanceColumn() + i] : from.latents[at];
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
    double step[kPoseCapacity];
    poseStep(step);
    movePose(freedom_, from, fraction, step, &to);
  }

  // --- Levenberg-Marquardt ------------------------------------------------------------------------------------------

  void minimise(FitSolution& solution) {
    current_ = 0;
    if (!evaluate(w_.states[0], w_.evaluations[0])) {
      solution.failure = FitFailure::kBehindCamera;
      return;
    }
    Descent descent = problem_->seed ? resumeDescent(options_.loss) : beginDescent(objective_.blur);
    objective_ = {options_.loss, 1};
    solution.initialCost = currentCost();
    objective_ = descent.objective;
    descent.value = currentCost();
    part_ = problem_->seed ? whole() : coarse();
    for (; descent.iteration < options_.maxIterations; ++descent.iteration) {
      if (sharpenObjective(options_.loss, &descent)) {
        objective_ = descent.objective;
        descent.value = currentCost();
      }
      if (widensSystem(!isWhole(), &descent)) part_ = whole();
      if (descent.settled) break;
      linearise(w_.states[current_], w_.evaluations[current_]);
      if (!descend(&descent)) {
        solution.failure = FitFailure::kNumerical;
        return;
      }
      reuseFactors(&descent);
    }
    solution.iterations = descent.iteration;
    const bool converged = reachedObjective(options_.loss, descent) && descent.settled;
    solution.status = converged ? FitStatus::kConverged : FitStatus::kMaxIterations;
    if (!reachedObjective(options_.loss, descent) || !isWhole()) {
      // The iterations ran out on the way: what is reported is about the whole objective all the same.
      part_ = whole();
      objective_ = {options_.loss, 1};
      descent.value = currentCost();
      linearise(w_.states[current_], w_.evaluations[current_]);
    }
    solution.finalCost = descent.value;
    solution.uncertainty = problem_->draft ? 0 : posteriorUncertainty();
    if (!isfinite(solution.finalCost) || !isfinite(solution.uncertainty)) solution.failure = FitFailure::kNumerical;
    if (solution.failure == FitFailure::kNone && solution.information && !reducedPosterior(solution))
      solution.failure = FitFailure::kNumerical;
  }

  double currentCost() const { return cost(w_.states[current_], w_.evaluations[current_]); }

  // From the current linearisation to a state that is better, or until there is nothing more to gain. False where the
  // system cannot be solved.
  bool descend(Descent* descent) {
    for (bool accepted = false; !accepted && !descent->settled;) {
      factored_ = false;
      if (solveStep(w_.states[current_], descent->damping))
        accepted = makeStep(descent);
      else if (!dampHarder(descent))
        return false;
    }
    return true;
  }

  // More steps by the factors in hand, each with a new gradient.
  void reuseFactors(Descent* descent) {
    if (!isLargeSystem(d_, n_) || !isWhole()) return;
    for (int i = 0; i < kMostFurtherSteps; ++i) {
      if (!factorsServe(options_.loss, *descent, factoredDamping_, gain_)) return;
      differentiate(w_.states[current_], w_.evaluations[current_]);
      if (!solveStep(w_.states[current_], factoredDamping_)) return;
      const Descent before = *descent;
      if (makeStep(descent)) continue;
      // H may be to blame, not its damping.
      if (!descent->settled) *descent = before;
      return;
    }
  }

  // Tries the step in hand: true where it is taken.
  bool makeStep(Descent* descent) {
    const FitState<Real>& state = w_.states[current_];
    FitState<Real>& trial = w_.states[1 - current_];
    const double fraction = stepFraction(), predicted = predictedDecrease(fraction), value = descent->value;
    retract(state, fraction, trial);
    const bool valid = evaluateTrial(trial, w_.evaluations[1 - current_]);
    const double trialValue = valid ? cost(trial, w_.evaluations[1 - current_]) : HUGE_VAL;
    const bool accepted = judgeStep(options_.costTolerance, predicted, trialValue, descent);
    gain_ = accepted && fraction == 1 ? (value - trialValue) / predicted : 0;
    if (accepted) current_ = 1 - current_;
    return accepted;
  }

  // The standard deviation of the identity's place on the sphere, in radians: sqrt(trace C) / r, C the posterior
  // covariance of v with all other unknowns integrated out (Laplace's approximation). Eliminating those leaves the
  // Schur complement of v: the information on the identity. The last linearisation serves: it was made a step that
  // gained next to nothing before the optimum.
  double posteriorUncertainty() {
    const int n = unknowns(), ld = w_.ld;
    Real* permuted = permutedIdentityLast();
    if (!Kernels::factor(permuted, n, n, ld)) return NAN;
    const double trace = Kernels::inverseTrace(permuted, n - d_, n, ld, w_.inverse.data());
    // A flat (Gaussian) model has no radius; its latents' typical length stands in.
    return sqrt(trace) * (inverseRadius_ > 0 ? inverseRadius_ : 1 / sqrt(static_cast<double>(d_)));
  }

  // The normal matrix of v at the current state with all other unknowns eliminated, for whitenPosterior. Expressions at
  // their bounds are known; the others, and all nuisances, are integrated out. False where it is not to be had.
  bool reducedPosterior(FitSolution& solution) {
    const FitState<Real>& state = w_.states[current_];
    rough_ = false;
    linearise(state, w_.evaluations[current_]);
    rough_ = Kernels::kRough;
    const int n = unknowns(), ld = w_.ld, others = n - d_;
    Real* h = permutedIdentityLast();
    for (int i = 0; i < e_; ++i) {
      if (bound(state, i) == kFree) continue;
      const int at = others - e_ + i;
      for (int j = 0; j < at; ++j) h[static_cast<long>(j) * ld + at] = 0;
      for (int j = at; j < n; ++j) h[static_cast<long>(at) * ld + j] = j == at ? 1 : 0;
    }
    if (!Kernels::factor(h, n, others, ld)) return false;
    if (solution.gradient) reducedGradient(state, h, solution.gradient);
    for (int i = 0; i < d_; ++i) {
      for (int j = 0; j <= i; ++j)
        solution.information[static_cast<long>(i) * (i + 1) / 2 + j] =
            static_cast<double>(h[static_cast<long>(others + j) * ld + others + i]);
      solution.shift[i] = static_cast<double>(state.latents[i]);
    }
    return true;
  }

  // The gradient of v at the current linearisation, the other unknowns having taken their steps; `factored`: permutedIdentityLast,
  // with those eliminated.
  void reducedGradient(const FitState<Real>& state, const Real* factored, double* gradient) {
    const int n = unknowns(), ld = w_.ld, others = n - d_;
    Real* g = w_.step.data();
    for (int i = 0; i < others; ++i) g[i] = w_.gradient[d_ + i];
    for (int i = 0; i < e_; ++i)
      if (bound(state, i) != kFree) g[others - e_ + i] = 0;
    for (int i = 0; i < d_; ++i) g[others + i] = w_.gradient[i];
    for (int i = n; i < ld; ++i) g[i] = 0;
    Kernels::forward(factored, n, others, ld, g);
    for (int i = 0; i < d_; ++i) gradient[i] = static_cast<double>(g[others + i]);
  }

  BoundState bound(const FitState<Real>& state, int expression) const {
    const Real value = state.latents[basis_.expressionStart + expression];
    if (!options_.boundExpression) return kFree;
    if (value <= static_cast<Real>(model_.expressionBounds()[2 * expression])) return kAtLower;
    return value >= static_cast<Real>(model_.expressionBounds()[2 * expression + 1]) ? kAtUpper : kFree;
  }

  // The normal matrix as [pose, nuisances, expression, v].
  Real* permutedIdentityLast() {
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
    if (solution.seed)
      writeSeed(basis_, w_.states[current_], solution.failure == FitFailure::kNone ? noise_ : NAN,
                2 * ownCost(w_.states[current_], w_.evaluations[current_]), w_.states[current_].latents.data(),
                solution.seed);
    if (solution.failure == FitFailure::kNone) {
      // The weights are the likelihood's; all else is of the face that is reported, without its nuisances.
      const double full = robustWeight(objective_.loss, options_.degreesOfFreedom, dimensions_, 0);
      for (int i = 0; i < activeCount_; ++i)
        solution.robustWeights[w_.active[i]] = static_cast<float>(
            robustWeight(objective_.loss, options_.degreesOfFreedom, dimensions_, w_.evaluations[current_].squared[i]) /
            full);
      if (n_ > 0 && settles_ && !problem_->draft && !solution.linearisation) settleWithoutNuisances();
    }
    const FitState<Real>& state = w_.states[current_];
    const FitEvaluation<Real>& at = w_.evaluations[current_];
    reportPose(image_, state, &solution);

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
    solution.usable = isUsable(solution);
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
    const Sight sight = sightOf(state);
    for (int i = 0; i < activeCount_; ++i) {
      const double weight =
          weightRoot(objective_, options_.degreesOfFreedom, dimensions_, at.squared[i], w_.inverseVariance[i]);
      const double* x = at.turned.data() + 3L * i;
      double jx[9], jc[8];
      differentiateSight(image_, state, sight, x, jx, jc);
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
    part_ = {0, 0};
    double value = cost(w_.states[current_], w_.evaluations[current_]);
    for (int step = 0; step < kSteps; ++step) {
      const FitState<Real>& state = w_.states[current_];
      linearise(state, w_.evaluations[current_]);
      if (!solveStep(state, kDamping)) return;
      FitState<Real>& trial = w_.states[1 - current_];
      retract(state, stepFraction(), trial);
      if (!evaluateTrial(trial, w_.evaluations[1 - current_])) return;
      const double trialValue = cost(trial, w_.evaluations[1 - current_]);
      if (!(trialValue < value)) return;
      current_ = 1 - current_;
      value = trialValue;
    }
  }

  // What the current state predicts with its nuisances at zero. Takes the place of the last trial.
  const FitEvaluation<Real>& withoutNuisances() {
    const FitState<Real>& from = w_.states[current_];
    FitState<Real>& to = w_.states[1 - current_];
    for (int i = 0; i < basis_.stride; ++i) to.latents[i] = from.latents[i];
    for (int i = 0; i < n_; ++i) to.latents[basis_.nuisanceStart + i] = 0;
    static_cast<FitPose&>(to) = from;
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
  ObservedExtent extent_;
  PoseFreedom freedom_ = {};
  int poseCount_ = 6;
  Objective objective_;
  double noise_ = NAN;  // standard deviation of a good landmark
  // Whatever is an image's own explains more pixels per millimetre the smaller the face is, and so the objective falls
  // with the scale by twice the cost of these unknowns: a joint fit takes that slope out, or a hundred images would shrink
  // the face. Times log s, fixed while the objective is minimised.
  double sizeDrift_ = 0;
  bool settles_ = true;  // the tests look at the optimum itself
  int current_ = 0;
  Part part_ = {0, 0};
  bool identityLast_ = false;  // see unknowns()
  bool rough_ = Kernels::kRough;  // whether J^T J is of a rounded J
  bool fresh_ = false;  // whether H is the current state's
  bool factored_ = false;  // whether `damped` holds the factors of H
  bool copied_ = false;  // whether `schur` is theirs
  bool boxFactored_ = false;  // whether `boxWork` holds the factor of its free block
  double factoredDamping_ = 0;
  double gain_ = 0;  // of the last step over what was predicted; 0 where it was cut short
};

}  // namespace
}  // namespace sfm
