// One image of a joint fit (docs/joint.md), a Gauss-Newton step at a time: it follows the person's w along the normal matrix
// that it has, says what it makes of the new w to second order, and leaves convergence to the passes.
//
// With C the coupling of the image's unknowns x to w, the joint normal equations are
//     H dx + C dw = -g        C^T dx + (sum over images ...) dw = ...
// H = U^T U is factored with the scale and the identity last, since C has rows for these alone. What remains of w is the
// image's information, and U is kept: once dw is known, dx follows by back substitution.
#pragma once

#include <math.h>

#include <vector>

#include "core/JointEvidence.h"
#include "cpu/FitSolver.h"
#include "cpu/JointImage.h"

namespace sfm {
namespace {

template <class Kernels>
class JointSolver : FitSolver<Kernels> {
 public:
  using Real = typename Kernels::Real;
  using Base = FitSolver<Kernels>;

  JointSolver(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
              FitWorkspace<Real>& workspace, JointWorkspace<Real>& scratch, const JointPass& pass, JointImage& image)
      : Base(model, basis, options, space, workspace),
        scratch_(scratch),
        pass_(pass),
        to_(image),
        prior_{pass.link->mean.data(), pass.link->precision.data()},
        columns_(sharedColumns(basis)) {}

  // Leaves what the image says of w, without the prior of w, as the solution's information and gradient; as its final
  // cost the objective's least value for this w, and as its initial cost the same by the scale that the next pass will
  // measure from. False where single precision does not do.
  bool solve(const FitProblem& given, FitSolution& solution) {
    begun_ = !to_.seed.empty();
    problemHere_ = given;
    problemHere_.seed = begun_ ? to_.seed.data() : nullptr;
    problemHere_.identityPrior = begun_ || informed() ? &prior_ : nullptr;
    problemHere_.sizeFree = false;  // here in `freeSize`
    problemHere_.draft = true;
    problem_ = &problemHere_;
    information_ = solution.information;
    solution.information = nullptr;
    clear(solution);
    solution.failure = this->selectLandmarks();
    if (solution.failure == FitFailure::kNone) solution.failure = this->start(begun_);
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNone &&
        objective_.blur > kSinglePrecisionBlur)
      return false;
    if (solution.failure == FitFailure::kNone) {
      solution.failure = begun_ ? follow(solution) : draft();
      problemHere_.identityPrior = &prior_;
    }
    if (solution.failure == FitFailure::kNone) solution.failure = look(solution);
    if (solution.failure == FitFailure::kNone) keep(solution);
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNumerical) return false;
    if (solution.failure != FitFailure::kNone) solution.status = FitStatus::kFailed;
    if (pass_.last) {
      problemHere_.draft = false;
      sizeDrift_ = drift();
      this->rough_ = Kernels::kRough;
      this->report(solution);
    }
    return true;
  }

 private:
  using Base::basis_;
  using Base::bound;
  using Base::clear;
  using Base::cost;
  using Base::current_;
  using Base::currentCost;
  using Base::d_;
  using Base::e_;
  using Base::image_;
  using Base::model_;
  using Base::n_;
  using Base::noise_;
  using Base::objective_;
  using Base::options_;
  using Base::part_;
  using Base::problem_;
  using Base::sizeDrift_;
  using Base::unknowns;
  using Base::w_;

  FitState<Real>& state() { return w_.states[current_]; }
  FitEvaluation<Real>& evaluation() { return w_.evaluations[current_]; }

  std::shared_ptr<JointFactors<Real>>& factors() {
    if constexpr (sizeof(Real) == sizeof(float))
      return to_.single;
    else
      return to_.twice;
  }

  bool hasFactors() { return factors() && factors()->valid; }

  // --- Where to look ------------------------------------------------------------------------------------------------

  // Whether it is known who the person is.
  bool informed() const { return squaredNorm(pass_.person, d_) > 0; }

  // To where Gauss and Newton can go on. From the face of the person, whose pose and expressions are found; or else from
  // the mean face, by the model's own prior, with the identities that do most.
  FitFailure draft() {
    current_ = 0;
    for (int i = 0; informed() && i < d_; ++i)
      state().latents[i] = static_cast<Real>(pass_.link->mean[static_cast<size_t>(i)]);
    if (!this->evaluate(state(), evaluation())) return FitFailure::kBehindCamera;
    Descent descent = beginDescent(objective_.blur);
    descent.value = currentCost();
    const int identities = d_ < Base::kCoarseIdentities ? d_ : Base::kCoarseIdentities;
    part_ = {informed() ? 0 : identities, this->isLarge() ? 0 : n_};
    const int most = informed() ? kInformedIterations : kDraftIterations;
    for (; descent.iteration < most; ++descent.iteration) {
      if (sharpenObjective(options_.loss, &descent)) {
        objective_ = descent.objective;
        descent.value = currentCost();
      }
      if (descent.settled) break;
      this->linearise(state(), evaluation());
      if (!this->descend(&descent)) return FitFailure::kNumerical;
    }
    objective_ = {options_.loss, 1};
    part_ = this->whole();
    return FitFailure::kNone;
  }

  // The image's own unknowns move with the person, as the last normal matrix has it.
  FitFailure follow(FitSolution& solution) {
    current_ = 0;
    part_ = this->whole();
    objective_ = {options_.loss, 1};
    if (hasFactors()) {
      for (int i = 0; i < d_; ++i)
        scratch_.step[sharedCount() + i] = static_cast<Real>(pass_.person[i] - to_.person[static_cast<size_t>(i)]);
      if (advance()) return FitFailure::kNone;
    }
    return refine(solution);
  }

  // A step for the change of w behind the shared unknowns in `scratch_.step`; false where the image is not to be seen
  // from there, or where it is too far.
  bool advance() {
    const int others = ownCount(), shared = sharedCount();
    const JointFactors<Real>& from = *factors();
    Real* s = scratch_.step.data();
    Real* x = w_.inverse.data();
    for (int i = 0; i < shared; ++i) s[i] = from.sharedRight[i];
    Kernels::backward(from.shared.data(), shared + d_, shared, columns_, s);
    for (int i = 0; i < others; ++i) x[i] = from.ownRight[i];
    for (int i = 0; i < shared; ++i) x[others + i] = s[i];
    for (int i = others + shared; i < w_.ld; ++i) x[i] = 0;
    Kernels::backward(from.own.data(), others + shared, others, w_.ld, x);
    for (int i = 0; i < w_.ld; ++i) w_.step[i] = 0;
    for (int i = 0; i < others + shared; ++i) w_.step[from.order[static_cast<size_t>(i)]] = x[i];
    if (!(this->stepFraction() == 1)) return false;
    this->retract(state(), 1, w_.states[1 - current_]);
    if (!this->evaluate(w_.states[1 - current_], w_.evaluations[1 - current_])) return false;
    current_ = 1 - current_;
    return true;
  }

  // By the ordinary solver, where the steps of passes do not do. Whether the size is free makes little difference at a
  // given w, and the next step sees to it.
  FitFailure refine(FitSolution& solution) {
    this->rough_ = Kernels::kRough;
    if (current_ == 1) copyState(w_.states[1], w_.states[0]);
    this->minimise(solution);
    part_ = this->whole();
    objective_ = {options_.loss, 1};
    return solution.failure;
  }

  void copyState(const FitState<Real>& from, FitState<Real>& to) const {
    for (int i = 0; i < basis_.stride; ++i) to.latents[i] = from.latents[i];
    static_cast<FitPose&>(to) = from;
  }

  // --- What is seen -------------------------------------------------------------------------------------------------

  FitFailure look(FitSolution& solution) {
    if (!begun_) this->pullIdentity(state().latents.data(), evaluation().identityPull.data());
    const double enough = pass_.last ? kNear : kFar;
    for (int attempt = 0;; ++attempt) {
      if (!linearisation(pass_.relinearise || attempt > 0 || !hasFactors())) {
        if (factors()) factors()->valid = false;
        return FitFailure::kNumerical;
      }
      if (!begun_ || attempt > 0 || pending_ <= enough) return FitFailure::kNone;
      const FitFailure failure = refine(solution);
      if (failure != FitFailure::kNone) return failure;
    }
  }

  // The gradient, with a new normal matrix or by the one in hand.
  bool linearisation(bool matrix) {
    const double seen = state().camera.logScale;
    scale_ = pass_.holdsScale && fabs(seen - to_.scale) < kSameScale ? to_.scale : seen;
    directGradient();
    SphereBend bend;
    if (matrix) {
      this->rough_ = Kernels::kRough && !begun_;
      this->linearise(state(), evaluation());
      bend = bendOfSphere();
      freeSize<true>();
      if (!eliminateOwn()) return false;
    } else {
      this->differentiate(state(), evaluation());
      bend = bendOfSphere();
      freeSize<false>();
    }
    if (!eliminateShared(bend)) return false;
    reduce();
    return isfinite(pending_) != 0;
  }

  // The sphere bends under the identity, and a quarter of it away from the pole all that Gauss and Newton see along v is
  // this bend: the second derivatives of the shape times the residuals, along v and across it, where they are positive.
  struct SphereBend {
    double across = 0, rankOne = 0;  // in units of I and of v v^T
  };

  SphereBend bendOfSphere() {
    if (!(this->inverseRadius_ > 0)) return {};
    const Real* v = state().latents.data();
    const Real* c = w_.coefficientGradient.data();
    const double squared = squaredNorm(v, d_);
    if (!(squared > 0)) return {};
    const ChartScalars s = this->chart(state());
    const double curvature = this->inverseRadius_ * this->inverseRadius_;
    double along = 0, flat = 0;
    for (int i = 0; i < d_; ++i) {
      along += (static_cast<double>(w_.gradient[i]) - evaluation().identityPull[i]) * static_cast<double>(v[i]);
      flat += static_cast<double>(c[i]) * static_cast<double>(v[i]);
    }
    // The gradient is sinc c + bend v.
    const double bend = (along - s.sinc * flat) / squared;
    const double slack = s.sinc > 0 ? (s.kappa * flat - bend / curvature) / s.sinc : 0;
    const double radial = -curvature * (s.sinc * flat + s.cosine * slack);
    const double across = bend > 0 ? bend : 0;
    return {across, ((radial > 0 ? radial : 0) - across) / squared};
  }

  // Priors of what is an image's own, and the image's part of the person's, as of a face that is seen at the scale s0: as
  // s / s0 times their residuals. Then larger and smaller faces, which explain the same pixels, cost the same. In H the
  // factor itself, all but 1, is left out.
  template <bool kMatrix>
  void freeSize() {
    if (!freesSize()) return;
    const int s = scaleColumn(), nuisances = this->nuisanceColumn(), expressions = this->expressionColumn();
    const Real* latents = state().latents.data();
    const double more = growth() - 1;
    const auto add = [&](int i, double slope) {
      w_.gradient[i] += static_cast<Real>(more * slope);
      if (kMatrix)
        w_.hessian[i < s ? static_cast<long>(i) * w_.ld + s : static_cast<long>(s) * w_.ld + i] +=
            static_cast<Real>(slope);
    };
    for (int i = 0; i < d_; ++i) add(i, evaluation().identityPull[i]);
    for (int i = 0; i < n_; ++i) add(nuisances + i, latents[basis_.nuisanceStart + i]);
    for (int i = 0; i < e_; ++i)
      add(expressions + i, this->expressionPrecision(i) *
                               (latents[basis_.expressionStart + i] - static_cast<Real>(model_.expressionMean()[i])));
    w_.gradient[s] += static_cast<Real>(drift());
    if (kMatrix) w_.hessian[static_cast<long>(s) * w_.ld + s] += static_cast<Real>(drift());
    for (int i = 0; i < d_; ++i)
      scratch_.direct[i] += more * (scratch_.direct[i] + pass_.personPrior * pass_.person[i]);
  }

  bool freesSize() const { return pass_.sizeFree && image_; }

  // (s / s0)^2
  double growth() { return exp(2 * (state().camera.logScale - scale_)); }

  // What those priors cost, at s0.
  double ownCost() { return freesSize() ? this->latentCost(state(), evaluation()) + personCost() : 0; }

  // Their derivative by log s.
  double drift() { return freesSize() ? 2 * growth() * ownCost() : 0; }

  double personCost() const { return 0.5 * pass_.personPrior * squaredNorm(pass_.person, d_); }

  double valueHere() { return currentCost() + (freesSize() ? (growth() - 1) * ownCost() : 0); }

  // By w at fixed x: T^T P (T w - v).
  void directGradient() {
    const PersonLink& link = *pass_.link;
    double* offset = w_.identityOffset.data();
    for (int i = 0; i < d_; ++i)
      offset[i] = link.mean[static_cast<size_t>(i)] - static_cast<double>(state().latents[i]);
    Base::combineRows(link.coupling.data(), offset, d_, scratch_.direct.data());
  }

  // --- Elimination: unknowns in the order [pose and camera | nuisances | e | log s | v] --------------------------------

  int scaleColumn() const { return this->poseStart() + kScaleUnknown; }
  int sharedCount() const { return d_ + (image_ ? 1 : 0); }
  int ownCount() { return static_cast<int>(factors()->order.size()) - sharedCount(); }

  // The solver's unknowns in that order, without expressions that bounds hold where they are.
  void decideOrder() {
    std::vector<int>& order = factors()->order;
    order.clear();
    const int scale = image_ ? scaleColumn() : unknowns(), expressions = this->expressionColumn();
    for (int i = d_; i < unknowns(); ++i)
      if (i != scale && !(i >= expressions && isHeld(i - expressions))) order.push_back(i);
    if (image_) order.push_back(scale);
    for (int i = 0; i < d_; ++i) order.push_back(i);
  }

  bool isHeld(int expression) const {
    const BoundState at = bound(w_.states[current_], expression);
    const Real slope = w_.gradient[this->expressionColumn() + expression];
    return (at == kAtLower && slope > 0) || (at == kAtUpper && slope < 0);
  }

  // H in that order.
  void arrange(Real* to) {
    const int ld = w_.ld, others = ownCount(), scale = image_ ? scaleColumn() : unknowns();
    const int* order = factors()->order.data();
    const auto row = [&](int i) { return w_.hessian.data() + static_cast<long>(i) * ld; };
    for (int k = 0; k < others; ++k) {
      const Real* from = row(order[k]);
      Real* out = to + static_cast<long>(k) * ld;
      for (int l = k; l < others; ++l) out[l] = from[order[l]];
      if (image_) out[others] = order[k] < scale ? from[scale] : row(scale)[order[k]];
    }
    Real* last = to + static_cast<long>(others) * ld + others;
    if (image_) *last = row(scale)[scale];
    const int skip = sharedCount() - d_;
    for (int k = 0; k < others + skip; ++k) {
      const Real* column = w_.hessian.data() + order[k];
      Real* out = to + static_cast<long>(k) * ld + others + skip;
      for (int i = 0; i < d_; ++i) out[i] = column[static_cast<long>(i) * ld];
    }
    for (int i = 0; i < d_; ++i) {
      const Real* from = row(i);
      Real* out = last + static_cast<long>(skip + i) * ld + skip;
      for (int j = i; j < d_; ++j) out[j] = from[j];
    }
  }

  // Leaves U of what is the image's own, and the Schur complement of the scale and the identity.
  bool eliminateOwn() {
    const int ld = w_.ld, shared = sharedCount();
    if (!factors()) scratch_.lend(&factors());
    JointFactors<Real>& into = *factors();
    decideOrder();
    const int others = ownCount();
    Real* h = w_.damped.data();
    arrange(h);
    if (!Kernels::factor(h, others + shared, others, ld)) return false;
    copyFactor(h, others, ld, into.own.data());
    const Real* left = h + static_cast<long>(others) * ld + others;
    for (int i = 0; i < shared; ++i)
      for (int j = i; j < shared; ++j)
        into.schur[static_cast<size_t>(i) * into.schurColumns + j] = left[static_cast<long>(i) * ld + j];
    into.valid = true;
    return true;
  }

  // And U of these, with what the image says of w.
  bool eliminateShared(const SphereBend& bend) {
    const int shared = sharedCount();
    couple(bend);
    if (!Kernels::factor(scratch_.shared.data(), shared + d_, shared, columns_)) return false;
    copyFactor(scratch_.shared.data(), shared, columns_, factors()->shared.data());
    const Real* left = scratch_.shared.data() + static_cast<long>(shared) * columns_ + shared;
    to_.information.resize(packedTriangle(d_));
    double* out = to_.information.data();
    for (int i = 0; i < d_; ++i)
      for (int j = 0; j <= i; ++j) *out++ = static_cast<double>(left[static_cast<long>(j) * columns_ + i]);
    return true;
  }

  static void copyFactor(const Real* from, int rows, int columns, Real* to) {
    for (int i = 0; i < rows; ++i, from += columns, to += columns)
      for (int j = i / kRowSlack * kRowSlack; j < columns; ++j) to[j] = from[j];
  }

  // The normal matrix of [log s, v, w], the rest eliminated. The bend is as of now: it follows the residuals, which the
  // rest of the matrix does not, and uncertainties follow it.
  void couple(const SphereBend& bend) {
    const PersonLink& link = *pass_.link;
    const JointFactors<Real>& from = *factors();
    const Real* latents = state().latents.data();
    const int shared = sharedCount(), skip = shared - d_;
    for (int i = 0; i < shared; ++i) {
      const Real* schur = from.schur.data() + static_cast<size_t>(i) * from.schurColumns;
      Real* out = scratch_.shared.data() + static_cast<long>(i) * columns_;
      for (int j = i; j < shared; ++j) out[j] = schur[j];
      const int v = i - skip;
      if (v < 0) {
        for (int j = 0; j < d_; ++j) out[shared + j] = static_cast<Real>(scaleCoupling(j));
        continue;
      }
      const Real left = static_cast<Real>(bend.rankOne * static_cast<double>(latents[v]));
      for (int j = v; j < d_; ++j) out[skip + j] += left * latents[j];
      out[i] += static_cast<Real>(bend.across);
      const double* coupling = link.coupling.data() + static_cast<size_t>(v) * d_;
      for (int j = 0; j < d_; ++j) out[shared + j] = -static_cast<Real>(coupling[j]);
    }
    for (int i = 0; i < d_; ++i) {
      Real* out = scratch_.shared.data() + static_cast<long>(shared + i) * columns_ + shared;
      for (int j = i; j < d_; ++j) out[j] = static_cast<Real>(link.person[static_cast<size_t>(i) * d_ + j]);
    }
  }

  double scaleCoupling(int i) const {
    return freesSize() ? scratch_.direct[i] + pass_.personPrior * pass_.person[i] : 0;
  }

  // U^-T (-g), for the step to come; and what it promises, at this w.
  void reduce() {
    JointFactors<Real>& into = *factors();
    const int others = ownCount(), shared = sharedCount(), expressions = this->expressionColumn();
    Real* b = into.ownRight.data();
    for (int i = 0; i < w_.ld; ++i) {
      const int from = i < others + shared ? into.order[static_cast<size_t>(i)] : -1;
      const bool still = from < 0 || (from >= expressions && isHeld(from - expressions));
      b[i] = still ? 0 : -w_.gradient[from];
    }
    Kernels::forward(into.own.data(), others + shared, others, w_.ld, b);
    Real* s = into.sharedRight.data();
    for (int i = 0; i < shared; ++i) s[i] = b[others + i];
    for (int i = 0; i < d_; ++i) s[shared + i] = -static_cast<Real>(scratch_.direct[i]);
    for (int i = shared + d_; i < columns_; ++i) s[i] = 0;
    Kernels::forward(into.shared.data(), shared + d_, shared, columns_, s);
    pending_ = 0.5 * (squaredNorm(b, others) + squaredNorm(s, shared));
    gradient_ = s + shared;
  }

  // --- What is left behind ------------------------------------------------------------------------------------------

  void keep(FitSolution& solution) {
    tellShift();
    for (size_t i = 0; information_ && i < to_.information.size(); ++i) information_[i] = to_.information[i];
    for (int i = 0; solution.gradient && i < d_; ++i) solution.gradient[i] = -static_cast<double>(gradient_[i]);
    solution.status = FitStatus::kConverged;
    solution.initialCost = valueHere() - pending_;
    const double scale = scale_;
    scale_ = to_.scale;
    solution.finalCost = valueHere() - pending_;
    scale_ = scale;
    to_.seed.resize(seedSize(basis_));
    writeSeed(basis_, state(), noise_, drift(), state().latents.data(), to_.seed.data());
    to_.scale = scale_;
    to_.person.assign(pass_.person, pass_.person + d_);
    if (pass_.last) settle(solution);
  }

  // S w - g, the shift that has the gradient g at w.
  void tellShift() {
    to_.shift.assign(static_cast<size_t>(d_), 0);
    double* SFM_RESTRICT shift = to_.shift.data();
    for (int i = 0; i < d_; ++i) {
      const double* SFM_RESTRICT row = to_.information.data() + packedTriangle(i);
      const double here = pass_.person[i];
      for (int j = 0; j < i; ++j) shift[j] += row[j] * here;
      shift[i] += static_cast<double>(gradient_[i]) + dotInLanes(row, pass_.person, i + 1);
    }
  }

  // In eight sums, which processors add up side by side.
  static double dotInLanes(const double* a, const double* b, int n) {
    constexpr int kLanes = 8;
    double lanes[kLanes] = {}, sum = 0;
    int i = 0;
    for (; i + kLanes <= n; i += kLanes)
      for (int l = 0; l < kLanes; ++l) lanes[l] += a[i + l] * b[i + l];
    for (; i < n; ++i) sum += a[i] * b[i];
    for (const double lane : lanes) sum += lane;
    return sum;
  }

  // The last step, at the person's w.
  void settle(FitSolution& solution) {
    const double value = valueHere(), promised = pending_;
    if (promised > kSettled) {
      const int before = current_;
      for (int i = 0; i < d_; ++i) scratch_.step[sharedCount() + i] = 0;
      if (advance() && !(valueHere() <= value)) current_ = before;
      solution.iterations += 1;
    }
    solution.finalCost = valueHere();
    solution.status = promised <= kNear ? FitStatus::kConverged : FitStatus::kMaxIterations;
    // Of the identity's place on the sphere, see FitSolver::posteriorUncertainty.
    const JointFactors<Real>& from = *factors();
    const double trace =
        Kernels::inverseTrace(from.shared.data(), sharedCount() - d_, sharedCount(), columns_, w_.inverse.data());
    solution.uncertainty =
        sqrt(trace) * (this->inverseRadius_ > 0 ? this->inverseRadius_ : 1 / sqrt(static_cast<double>(d_)));
    if (!isfinite(solution.finalCost) || !isfinite(solution.uncertainty)) solution.failure = FitFailure::kNumerical;
  }

  static constexpr int kScaleUnknown = 5;  // of an image's pose and camera: 3 rotation, p, q, log s[, log f]
  static constexpr int kDraftIterations = 4, kInformedIterations = 2;
  // What the image's own step still promises, in units of log-likelihood: from where on passes do not get there by
  // themselves, where the last one has to have come, and where there is no more to be had.
  static constexpr double kFar = 3, kNear = 0.5, kSettled = 0.01;

  static constexpr double kSameScale = 0.2;  // of log s: no more than heads differ in size

  JointWorkspace<Real>& scratch_;
  const JointPass& pass_;
  JointImage& to_;
  const IdentityPrior prior_;
  const int columns_;
  FitProblem problemHere_;
  bool begun_ = false;  // whether an earlier pass has seen the image
  double* information_ = nullptr;
  const Real* gradient_ = nullptr;  // minus the gradient by w
  double pending_ = 0;
  double scale_ = 0;  // log s0
};

}  // namespace
}  // namespace sfm
