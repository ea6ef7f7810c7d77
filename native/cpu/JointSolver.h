// One image of a joint fit (docs/joint.md), a Gauss-Newton step at a time: it follows the person's w along the normal matrix
// that it has, says what it makes of the new w to second order, and leaves convergence to the passes.
//
// With C the coupling of the image's unknowns x to w, the joint normal equations are
//     H dx + C dw = -g        C^T dx + (sum over images ...) dw = ...
// H = U^T U is factored with the scale and the identity last, since C has rows for these alone. What remains of w is the
// image's information, and U is kept: once dw is known, dx follows by back substitution.
#pragma once

#include <math.h>

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
    const bool begun = !to_.seed.empty();
    problemHere_ = given;
    problemHere_.seed = begun ? to_.seed.data() : nullptr;
    problemHere_.identityPrior = begun ? &prior_ : nullptr;
    problemHere_.sizeFree = false;  // here in `freeSize`
    problemHere_.draft = true;
    problem_ = &problemHere_;
    information_ = solution.information;
    solution.information = nullptr;
    clear(solution);
    solution.failure = this->selectLandmarks();
    if (solution.failure == FitFailure::kNone) solution.failure = this->start();
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNone &&
        objective_.blur > kSinglePrecisionBlur)
      return false;
    if (solution.failure == FitFailure::kNone) {
      solution.failure = begun ? follow(solution) : draft();
      problemHere_.identityPrior = &prior_;
    }
    if (solution.failure == FitFailure::kNone) solution.failure = look(solution, begun);
    if (solution.failure == FitFailure::kNone) keep(solution);
    if (sizeof(Real) < sizeof(double) && solution.failure == FitFailure::kNumerical) return false;
    if (solution.failure != FitFailure::kNone) solution.status = FitStatus::kFailed;
    if (pass_.last) {
      problemHere_.draft = false;
      sizeDrift_ = drift();
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

  std::unique_ptr<JointFactors<Real>>& factors() {
    if constexpr (sizeof(Real) == sizeof(float))
      return to_.single;
    else
      return to_.twice;
  }

  // --- Where to look ------------------------------------------------------------------------------------------------

  // From the mean face to where Gauss and Newton can go on: pose, expressions, and the identities that do most, by the
  // model's own prior.
  FitFailure draft() {
    current_ = 0;
    if (!this->evaluate(state(), evaluation())) return FitFailure::kBehindCamera;
    Descent descent = beginDescent(objective_.blur);
    descent.value = currentCost();
    part_ = {d_ < Base::kCoarseIdentities ? d_ : Base::kCoarseIdentities, this->isLarge() ? 0 : n_};
    for (; descent.iteration < kDraftIterations && !descent.settled; ++descent.iteration) {
      if (sharpenObjective(options_.loss, &descent)) {
        objective_ = descent.objective;
        descent.value = currentCost();
      }
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
    if (factors()) {
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
    for (int i = unknowns(); i < w_.ld; ++i) x[i] = 0;
    Kernels::backward(from.own.data(), unknowns(), others, w_.ld, x);
    for (int i = 0; i < w_.ld; ++i) w_.step[i] = i < unknowns() ? x[place(i)] : 0;
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

  FitFailure look(FitSolution& solution, bool begun) {
    if (!begun) this->pullIdentity(state().latents.data(), evaluation().identityPull.data());
    const double enough = pass_.last ? kNear : kFar;
    for (int attempt = 0;; ++attempt) {
      if (!linearisation(pass_.relinearise || pass_.last || attempt > 0 || !factors())) {
        factors().reset();
        return FitFailure::kNumerical;
      }
      if (!begun || attempt > 0 || pending_ <= enough) return FitFailure::kNone;
      const FitFailure failure = refine(solution);
      if (failure != FitFailure::kNone) return failure;
    }
  }

  // The gradient, with a new normal matrix or by the one in hand.
  bool linearisation(bool matrix) {
    const double seen = state().camera.logScale;
    scale_ = pass_.holdsScale && fabs(seen - to_.scale) < kSameScale ? to_.scale : seen;
    directGradient();
    if (matrix) {
      this->rough_ = false;
      this->linearise(state(), evaluation());
      bendChart();
      freeSize<true>();
      if (!eliminate()) return false;
    } else {
      this->differentiate(state(), evaluation());
      freeSize<false>();
    }
    reduce();
    return isfinite(pending_) != 0;
  }

  // The sphere bends under the identity, and a quarter of it away from the pole all that Gauss and Newton see along v is
  // this bend: the second derivatives of the shape times the residuals, along v and across it, where they are positive.
  void bendChart() {
    if (!(this->inverseRadius_ > 0)) return;
    const Real* v = state().latents.data();
    const Real* c = w_.coefficientGradient.data();
    const double squared = squaredNorm(v, d_);
    if (!(squared > 0)) return;
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
    const double across = bend > 0 ? bend : 0, rankOne = ((radial > 0 ? radial : 0) - across) / squared;
    for (int i = 0; i < d_; ++i) {
      Real* row = w_.hessian.data() + static_cast<long>(i) * w_.ld;
      row[i] += static_cast<Real>(across);
      const double left = rankOne * static_cast<double>(v[i]);
      for (int j = i; j < d_; ++j) row[j] += static_cast<Real>(left * static_cast<double>(v[j]));
    }
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
    double* SFM_RESTRICT direct = scratch_.direct.data();
    for (int i = 0; i < d_; ++i) direct[i] = 0;
    for (int j = 0; j < d_; ++j) {
      const double off = link.mean[static_cast<size_t>(j)] - static_cast<double>(state().latents[j]);
      const double* SFM_RESTRICT row = link.coupling.data() + static_cast<long>(j) * d_;
      for (int i = 0; i < d_; ++i) direct[i] += row[i] * off;
    }
  }

  // --- Elimination: unknowns in the order [pose and camera | nuisances | e | log s | v] --------------------------------

  int scaleColumn() const { return this->poseStart() + kScaleUnknown; }
  int sharedCount() const { return d_ + (image_ ? 1 : 0); }
  int ownCount() const { return unknowns() - sharedCount(); }

  // Where the solver's unknown i comes in that order.
  int place(int i) const {
    if (i < d_) return unknowns() - d_ + i;
    const int scale = image_ ? scaleColumn() : unknowns();
    return i < scale ? i - d_ : i == scale ? ownCount() : i - d_ - 1;
  }

  void arrange(Real* to) const {
    const int n = unknowns(), ld = w_.ld, scale = image_ ? scaleColumn() : n;
    const auto row = [&](int i) { return w_.hessian.data() + static_cast<long>(i) * ld; };
    for (int i = 0; i < d_; ++i) {
      Real* diagonal = to + static_cast<long>(n - d_ + i) * ld + n - d_;
      for (int j = i; j < d_; ++j) diagonal[j] = row(i)[j];
      Real* column = to + n - d_ + i;
      for (int j = d_; j < scale; ++j) column[static_cast<long>(j - d_) * ld] = row(i)[j];
      if (image_) column[static_cast<long>(ownCount()) * ld] = row(i)[scale];
      for (int j = scale + 1; j < n; ++j) column[static_cast<long>(j - d_ - 1) * ld] = row(i)[j];
    }
    for (int i = d_; i < n; ++i) {
      Real* out = to + static_cast<long>(place(i)) * ld;
      if (i < scale) {
        for (int j = i; j < scale; ++j) out[j - d_] = row(i)[j];
        if (image_) out[ownCount()] = row(i)[scale];
      }
      if (i == scale) {
        out[ownCount()] = row(i)[scale];
        for (int j = scale + 1; j < n; ++j) to[static_cast<long>(j - d_ - 1) * ld + ownCount()] = row(i)[j];
      } else {
        for (int j = i > scale ? i : scale + 1; j < n; ++j) out[j - d_ - 1] = row(i)[j];
      }
    }
  }

  // The expressions that bounds hold where they are.
  BoundState held(int expression) const {
    const BoundState at = bound(w_.states[current_], expression);
    const Real slope = w_.gradient[this->expressionColumn() + expression];
    return (at == kAtLower && slope > 0) || (at == kAtUpper && slope < 0) ? at : kFree;
  }

  bool eliminate() {
    const int n = unknowns(), ld = w_.ld, others = ownCount(), shared = sharedCount();
    if (!factors()) {
      factors() = std::make_unique<JointFactors<Real>>();
      factors()->own = AlignedBuffer<Real>(static_cast<size_t>(others + kRowSlack) * ld);
      factors()->shared = AlignedBuffer<Real>(static_cast<size_t>(shared + kRowSlack) * columns_);
      factors()->ownRight = AlignedBuffer<Real>(static_cast<size_t>(ld));
      factors()->sharedRight = AlignedBuffer<Real>(static_cast<size_t>(columns_));
    }
    JointFactors<Real>& into = *factors();
    Real* h = w_.damped.data();
    arrange(h);
    into.boundary.assign(static_cast<size_t>(e_), kFree);
    for (int i = 0; i < e_; ++i) {
      into.boundary[static_cast<size_t>(i)] = held(i);
      if (into.boundary[static_cast<size_t>(i)] == kFree) continue;
      const int at = place(this->expressionColumn() + i);
      for (int j = 0; j < at; ++j) h[static_cast<long>(j) * ld + at] = 0;
      for (int j = at; j < n; ++j) h[static_cast<long>(at) * ld + j] = j == at ? 1 : 0;
    }
    if (!Kernels::factor(h, n, others, ld)) return false;
    copyRows(h, others, ld, into.own.data());
    couple(h + static_cast<long>(others) * ld + others);
    if (!Kernels::factor(scratch_.shared.data(), shared + d_, shared, columns_)) return false;
    copyRows(scratch_.shared.data(), shared, columns_, into.shared.data());
    const Real* left = scratch_.shared.data() + static_cast<long>(shared) * columns_ + shared;
    to_.information.clear();
    for (int i = 0; i < d_; ++i)
      for (int j = 0; j <= i; ++j)
        to_.information.push_back(static_cast<double>(left[static_cast<long>(j) * columns_ + i]));
    return true;
  }

  static void copyRows(const Real* from, int rows, int columns, Real* to) {
    for (long i = 0; i < static_cast<long>(rows) * columns; ++i) to[i] = from[i];
  }

  // The normal matrix of [log s, v, w], the rest eliminated: `schur` is its part of the first two.
  void couple(const Real* schur) {
    const PersonLink& link = *pass_.link;
    const int shared = sharedCount();
    for (int i = 0; i < shared; ++i) {
      Real* out = scratch_.shared.data() + static_cast<long>(i) * columns_;
      for (int j = i; j < shared; ++j) out[j] = schur[static_cast<long>(i) * w_.ld + j];
      const int v = i - (shared - d_);
      for (int j = 0; j < d_; ++j)
        out[shared + j] = v < 0 ? static_cast<Real>(scaleCoupling(j))
                                : -static_cast<Real>(link.coupling[static_cast<size_t>(v) * d_ + j]);
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
    const int n = unknowns(), others = ownCount(), shared = sharedCount();
    Real* b = into.ownRight.data();
    for (int i = 0; i < n; ++i) b[place(i)] = -w_.gradient[i];
    for (int i = n; i < w_.ld; ++i) b[i] = 0;
    for (int i = 0; i < e_; ++i)
      if (into.boundary[static_cast<size_t>(i)] != kFree || held(i) != kFree)
        b[place(this->expressionColumn() + i)] = 0;
    Kernels::forward(into.own.data(), n, others, w_.ld, b);
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
    if (pass_.last) {
      settle(solution);
      return;
    }
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
    if (solution.seed)
      for (size_t i = 0; i < to_.seed.size(); ++i) solution.seed[i] = to_.seed[i];
  }

  // S w - g, the shift that has the gradient g at w.
  void tellShift() {
    to_.shift.assign(static_cast<size_t>(d_), 0);
    const double* s = to_.information.data();
    for (int i = 0; i < d_; ++i) {
      double sum = static_cast<double>(gradient_[i]);
      for (int j = 0; j < i; ++j, ++s) {
        sum += *s * pass_.person[j];
        to_.shift[static_cast<size_t>(j)] += *s * pass_.person[i];
      }
      to_.shift[static_cast<size_t>(i)] += sum + *s++ * pass_.person[i];
    }
  }

  // The last step, at the person's w.
  void settle(FitSolution& solution) {
    const double value = valueHere(), promised = pending_;
    const int before = current_;
    for (int i = 0; i < d_; ++i) scratch_.step[sharedCount() + i] = 0;
    if (advance() && !(valueHere() <= value)) current_ = before;
    solution.initialCost = value;
    solution.finalCost = valueHere();
    solution.iterations += 1;
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
  static constexpr int kDraftIterations = 4;
  // What the image's own step still promises, in units of log-likelihood: from where on passes do not get there by
  // themselves, and where the last one has to have come.
  static constexpr double kFar = 3, kNear = 0.5;

  static constexpr double kSameScale = 0.2;  // of log s: no more than heads differ in size

  JointWorkspace<Real>& scratch_;
  const JointPass& pass_;
  JointImage& to_;
  const IdentityPrior prior_;
  const int columns_;
  FitProblem problemHere_;
  double* information_ = nullptr;
  const Real* gradient_ = nullptr;  // minus the gradient by w
  double pending_ = 0;
  double scale_ = 0;  // log s0
};

}  // namespace
}  // namespace sfm
