// One image of a joint fit (docs/joint.md), a Gauss-Newton step at a time: it follows the person's w along the normal matrix
// that it has, says what it makes of the new w to second order, and leaves convergence to the passes.
//
// With C the coupling of the image's unknowns x to w, the joint normal equations are
//     H dx + C dw = -g        C^T dx + (sum over images ...) dw = ...
// H = U^T U is factored with the scale and the identity v last, since C has rows for these alone, and v after all else, in
// a matrix of v and w. What remains of w is the image's information, and U is kept: once dw is known, dx follows by back
// substitution.
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
        person_(wholeTiles(basis.tangentCount)),
        columns_(sharedColumns(basis)),
        informed_(squaredNorm(pass.person, basis.tangentCount) > 0) {}

  // Leaves what the image says of w, without the prior of w, as the solution's information and gradient; as its final
  // cost the objective's least value for this w, and as its initial cost the same by the scale that the next pass will
  // measure from. False where single precision does not do.
  bool solve(const FitProblem& given, FitSolution& solution) {
    begun_ = !to_.seed.empty();
    problemHere_ = given;
    problemHere_.seed = begun_ ? to_.seed.data() : nullptr;
    problemHere_.identityPrior = begun_ || informed_ ? &prior_ : nullptr;
    problemHere_.sizeFree = false;  // here in `freeSize`
    problemHere_.draft = true;
    problem_ = &problemHere_;
    information_ = solution.information;
    solution.information = nullptr;
    clear(solution);
    to_.information = {};
    to_.shift.clear();
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
      identityLast_ = false;
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
  using Base::identityLast_;
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

  // To where Gauss and Newton can go on. From the face of the person, whose pose and expressions are found; or else from
  // the mean face, by the model's own prior, with the identities that do most.
  FitFailure draft() {
    current_ = 0;
    for (int i = 0; informed_ && i < d_; ++i)
      state().latents[i] = static_cast<Real>(pass_.link->mean[static_cast<size_t>(i)]);
    if (!this->evaluate(state(), evaluation())) return FitFailure::kBehindCamera;
    Descent descent = beginDescent(objective_.blur);
    descent.value = currentCost();
    const int identities = d_ < kCoarseIdentities ? d_ : kCoarseIdentities;
    part_ = {informed_ ? 0 : identities, isLargeSystem(d_, n_) ? 0 : n_};
    const int most = informed_ ? kInformedIterations : kDraftIterations;
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
    identityLast_ = true;
    return FitFailure::kNone;
  }

  // The image's own unknowns move with the person, as the last normal matrix has it.
  FitFailure follow(FitSolution& solution) {
    current_ = 0;
    part_ = this->whole();
    identityLast_ = true;
    objective_ = {options_.loss, 1};
    if (hasFactors()) {
      for (int i = 0; i < d_; ++i)
        scratch_.step[person_ + i] = static_cast<Real>(pass_.person[i] - to_.person[static_cast<size_t>(i)]);
      if (advance()) return FitFailure::kNone;
    }
    return refine(solution);
  }

  // A step for the change of w that stands behind v in `scratch_.step`; false where the image is not to be seen from
  // there, or where it is too far.
  bool advance() {
    const int others = ownCount();
    const JointFactors<Real>& from = *factors();
    Real* s = scratch_.step.data();
    Real* x = w_.step.data();
    for (int i = 0; i < person_; ++i) s[i] = from.sharedRight[i];
    Kernels::backward(from.shared.data(), person_ + d_, d_, columns_, s);
    for (int i = 0; i < others; ++i) x[i] = from.ownRight[i];
    if (image_) x[others - 1] -= Kernels::dotProduct(from.scaleRow.data(), s + person_, d_);
    for (int i = 0; i < d_; ++i) x[others + i] = s[i];
    for (int i = others + d_; i < w_.ld; ++i) x[i] = 0;
    Kernels::backward(from.own.data(), others + d_, others, w_.ld, x);
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
    identityLast_ = false;
    if (current_ == 1) copyState(w_.states[1], w_.states[0]);
    this->minimise(solution);
    part_ = this->whole();
    identityLast_ = true;
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
      this->rough_ = Kernels::kRough;  // as for steps of single fits, and their uncertainty
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
    const Real* g = w_.gradient.data() + this->identityColumn();
    const double squared = squaredNorm(v, d_);
    if (!(squared > 0)) return {};
    const ChartScalars s = this->chart(state());
    const double curvature = this->inverseRadius_ * this->inverseRadius_;
    double along = 0, flat = 0;
    for (int i = 0; i < d_; ++i) {
      along += (static_cast<double>(g[i]) - evaluation().identityPull[i]) * static_cast<double>(v[i]);
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
    const int s = scaleColumn(), identity = this->identityColumn(), nuisances = this->nuisanceColumn(),
              expressions = this->expressionColumn();
    const Real* latents = state().latents.data();
    const double more = growth() - 1;
    const auto add = [&](int i, double slope) {
      w_.gradient[i] += static_cast<Real>(more * slope);
      if (kMatrix)
        w_.hessian[i < s ? static_cast<long>(i) * w_.ld + s : static_cast<long>(s) * w_.ld + i] +=
            static_cast<Real>(slope);
    };
    for (int i = 0; i < d_; ++i) add(identity + i, evaluation().identityPull[i]);
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

  // --- Elimination: first all but v, the scale as the last of them, then v -------------------------------------------

  int scaleColumn() const { return this->poseColumn(Base::kScaleUnknown); }
  int ownCount() const { return this->identityColumn(); }

  // Leaves U of what is the image's own, and the Schur complement of the identity.
  bool eliminateOwn() {
    if (!factors()) scratch_.lend(&factors());
    JointFactors<Real>& into = *factors();
    for (int i = 0; i < e_; ++i) {
      into.held[i] = isHeld(i);
      if (into.held[i]) hold(this->expressionColumn() + i);
    }
    into.valid = Kernels::factor(w_.hessian.data(), ownCount() + d_, ownCount(), w_.ld);
    into.takeSystem(&w_.hessian);
    return into.valid;
  }

  bool isHeld(int expression) const {
    const BoundState at = bound(w_.states[current_], expression);
    const Real slope = w_.gradient[this->expressionColumn() + expression];
    return (at == kAtLower && slope > 0) || (at == kAtUpper && slope < 0);
  }

  // Takes an unknown out of H: its step will be zero.
  void hold(int unknown) {
    const int ld = w_.ld, n = ownCount() + d_;
    Real* column = w_.hessian.data() + unknown;
    for (int i = 0; i < unknown; ++i) column[static_cast<long>(i) * ld] = 0;
    Real* row = w_.hessian.data() + static_cast<long>(unknown) * ld;
    for (int i = unknown; i < n; ++i) row[i] = i == unknown ? 1 : 0;
  }

  // And U of v, with what the image says of w.
  bool eliminateShared(const SphereBend& bend) {
    JointFactors<Real>& into = *factors();
    couple(bend);
    if (!Kernels::factor(scratch_.shared.data(), person_ + d_, person_, columns_)) return false;
    const Real* from = scratch_.shared.data();
    for (int i = 0; i < d_; ++i, from += columns_) {
      Real* to = into.shared.data() + static_cast<long>(i) * columns_;
      for (int j = i / kRowSlack * kRowSlack; j < columns_; ++j) to[j] = from[j];
    }
    Real* SFM_RESTRICT out = into.information.data();
    from = scratch_.shared.data() + static_cast<long>(person_) * columns_ + person_;
    for (int i = 0; i < d_; out += d_ - i, from += columns_ + 1, ++i)
      for (int j = 0; j < d_ - i; ++j) out[j] = from[j];
    return true;
  }

  // The normal matrix of [v | none | w], the rest eliminated: w begins a tile. The bend is as of now: it follows the residuals, which the rest of
  // the matrix does not, and uncertainties follow it.
  void couple(const SphereBend& bend) {
    JointFactors<Real>& into = *factors();
    const Real* latents = state().latents.data();
    // The scale's row of U, for v and for w.
    const long others = ownCount(), ld = w_.ld;
    const Real* last = into.own.data() + (others - 1) * ld + others;
    Real* scaleRow = into.scaleRow.data();
    for (int j = 0; image_ && j < d_; ++j) scaleRow[j] = static_cast<Real>(scaleCoupling(j)) / last[-1];
    for (int i = 0; i < d_; ++i) {
      const Real* schur = into.own.data() + (others + i) * ld + others;
      Real* out = scratch_.shared.data() + static_cast<long>(i) * columns_;
      const Real along = static_cast<Real>(bend.rankOne * static_cast<double>(latents[i]));
      for (int j = i; j < d_; ++j) out[j] = schur[j] + along * latents[j];
      for (int j = d_; j < person_; ++j) out[j] = 0;
      out[i] += static_cast<Real>(bend.across);
      subtractScaled(pass_.link->coupling.data() + static_cast<size_t>(i) * d_, image_ ? last[i] : 0, scaleRow, -1, 0,
                     out + person_);
    }
    for (int i = d_; i < person_; ++i) {
      Real* out = scratch_.shared.data() + static_cast<long>(i) * columns_;
      for (int j = i; j < person_ + d_; ++j) out[j] = j == i ? 1 : 0;
    }
    for (int i = 0; i < d_; ++i)
      subtractScaled(pass_.link->person.data() + static_cast<size_t>(i) * d_, scaleRow[i], scaleRow, 1, i,
                     scratch_.shared.data() + static_cast<long>(person_ + i) * columns_ + person_);
  }

  // out = sign * from - scale * row, from the given place on.
  void subtractScaled(const double* SFM_RESTRICT from, Real scale, const Real* SFM_RESTRICT row, int sign, int begin,
                      Real* SFM_RESTRICT out) const {
    for (int j = begin; j < d_; ++j) out[j] = static_cast<Real>(sign) * static_cast<Real>(from[j]) - scale * row[j];
  }

  double scaleCoupling(int i) const {
    return freesSize() ? scratch_.direct[i] + pass_.personPrior * pass_.person[i] : 0;
  }

  // U^-T (-g), for the step to come; and what it promises, at this w.
  void reduce() {
    JointFactors<Real>& into = *factors();
    const int others = ownCount(), expressions = this->expressionColumn();
    Real* b = into.ownRight.data();
    for (int i = 0; i < w_.ld; ++i) b[i] = i < others + d_ ? -w_.gradient[i] : 0;
    for (int i = 0; i < e_; ++i)
      if (into.held[i] || isHeld(i)) b[expressions + i] = 0;
    Kernels::forward(into.own.data(), others + d_, others, w_.ld, b);
    const Real scale = image_ ? b[others - 1] : 0;
    Real* s = into.sharedRight.data();
    for (int i = 0; i < columns_; ++i) s[i] = i < d_ ? b[others + i] : 0;
    for (int i = 0; i < d_; ++i) s[person_ + i] = -static_cast<Real>(scratch_.direct[i]) - scale * into.scaleRow[i];
    Kernels::forward(into.shared.data(), person_ + d_, d_, columns_, s);
    pending_ = 0.5 * (squaredNorm(b, others) + squaredNorm(s, d_));
    gradient_ = s + person_;
  }

  // --- What is left behind ------------------------------------------------------------------------------------------

  void keep(FitSolution& solution) {
    to_.information = {};
    if constexpr (sizeof(Real) == sizeof(float))
      to_.information.single = factors()->information.data();
    else
      to_.information.twice = factors()->information.data();
    tellShift();
    if (information_) packLower(d_, to_.information, information_);
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
    const Real* SFM_RESTRICT row = factors()->information.data();
    for (int i = 0; i < d_; row += d_ - i, ++i) {
      const double here = pass_.person[i];
      for (int j = 1; j < d_ - i; ++j) shift[i + j] += static_cast<double>(row[j]) * here;
      shift[i] += static_cast<double>(gradient_[i]) + dotInLanes(row, pass_.person + i, d_ - i);
    }
  }

  // In eight sums, which processors add up side by side.
  static double dotInLanes(const Real* a, const double* b, int n) {
    constexpr int kLanes = 8;
    double lanes[kLanes] = {}, sum = 0;
    int i = 0;
    for (; i + kLanes <= n; i += kLanes)
      for (int l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(a[i + l]) * b[i + l];
    for (; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
    for (const double lane : lanes) sum += lane;
    return sum;
  }

  // The last step, at the person's w.
  void settle(FitSolution& solution) {
    const double value = valueHere(), promised = pending_;
    if (promised > kSettled) {
      const int before = current_;
      for (int i = 0; i < d_; ++i) scratch_.step[person_ + i] = 0;
      if (advance() && !(valueHere() <= value)) current_ = before;
      solution.iterations += 1;
    }
    solution.finalCost = valueHere();
    solution.status = promised <= kNear ? FitStatus::kConverged : FitStatus::kMaxIterations;
    // Of the identity's place on the sphere, see FitSolver::posteriorUncertainty.
    const double trace = Kernels::inverseTrace(factors()->shared.data(), 0, d_, columns_, w_.inverse.data());
    solution.uncertainty =
        sqrt(trace) * (this->inverseRadius_ > 0 ? this->inverseRadius_ : 1 / sqrt(static_cast<double>(d_)));
    if (!isfinite(solution.finalCost) || !isfinite(solution.uncertainty)) solution.failure = FitFailure::kNumerical;
  }

  static constexpr int kDraftIterations = 4, kInformedIterations = 2;
  // What the image's own step still promises, in units of log-likelihood: from where on passes do not get there by
  // themselves, where the last one has to have come, and where there is no more to be had.
  static constexpr double kFar = 3, kNear = 0.5, kSettled = 0.01;

  static constexpr double kSameScale = 0.2;  // of log s: no more than heads differ in size

  JointWorkspace<Real>& scratch_;
  const JointPass& pass_;
  JointImage& to_;
  const IdentityPrior prior_;
  const int person_;  // where w stands behind v
  const int columns_;
  FitProblem problemHere_;
  const bool informed_;  // whether it is known who the person is
  bool begun_ = false;  // whether an earlier pass has seen the image
  double* information_ = nullptr;
  const Real* gradient_ = nullptr;  // minus the gradient by w
  double pending_ = 0;
  double scale_ = 0;  // log s0
};

}  // namespace
}  // namespace sfm
