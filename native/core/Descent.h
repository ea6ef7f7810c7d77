// The course of a Levenberg-Marquardt descent: which objective is under way, how much damping, when to stop. Scalars
// only, the same for every backend, whoever does the linear algebra.
#pragma once

#include "core/Fit.h"
#include "core/LandmarkRows.h"

namespace sfm {

struct Descent {
  Objective objective;
  double value = 0;  // the objective at the current state
  double damping = 1e-3, growth = 2;
  double decrease = 1;  // relative, of the last accepted step
  bool settled = false;
  int iteration = 0;
};

// With which objective the descent begins; the caller then sets `value`.
SFM_HD Descent beginDescent(double blur) {
  Descent descent;
  descent.objective = {RobustLoss::kSquared, blur};
  return descent;
}

// The descent of a fit that goes on from where another ended: no large strides are to come.
SFM_HD Descent resumeDescent(RobustLoss loss) {
  Descent descent;
  descent.objective = {loss, 1};
  return descent;
}

// Blurred landmarks come into focus; then the robust loss takes over from the third iteration on, once the squared
// loss has no more large strides to make: far from the solution everything looks like an outlier. True where the
// objective has changed: the caller then sets `value` anew.
SFM_HD bool sharpenObjective(RobustLoss loss, Descent* d) {
  Objective& objective = d->objective;
  if (d->iteration > 0 && objective.blur > 1)
    objective.blur = objective.blur > 2 ? objective.blur / 2 : 1;
  else if (objective.loss != loss && (d->settled || (d->iteration >= 2 && d->decrease < 0.5)))
    objective = {loss, 1};
  else
    return false;
  d->settled = false;
  return true;
}

// Where linear algebra is most of a fit's work, it pays to do less of it: the first strides are made with the first
// identities alone, which in most models do most, and near the optimum, where the normal matrix hardly changes, its factors
// serve for more steps, each with a gradient of its own.
constexpr int kCoarseIdentities = 48, kCoarseIterations = 2;
SFM_HD bool isLargeSystem(int identities, int nuisances) { return identities + nuisances >= 64; }
SFM_HD bool beginsCoarsely(int identities, int nuisances, const Objective& objective) {
  return isLargeSystem(identities, nuisances) && objective.blur == 1;
}

// Where strides with the first identities have done what they can: true where all unknowns take over.
SFM_HD bool widensSystem(bool coarse, Descent* d) {
  if (!coarse || (!d->settled && d->iteration < kCoarseIterations)) return false;
  d->settled = false;
  return true;
}

// Whether the objective is the one that was asked for.
SFM_HD bool reachedObjective(RobustLoss loss, const Descent& d) {
  return d.objective.blur == 1 && d.objective.loss == loss;
}

// Whether the factors of a matrix of all unknowns, damped by `damping`, may serve another step after one with that gain, 0
// where it was not taken whole. Not while the objective changes, not after large strides, and not while damping holds steps
// back: the gain tells how far the matrix is off along the last step only.
constexpr int kMostFurtherSteps = 6;
SFM_HD bool factorsServe(RobustLoss loss, const Descent& d, double damping, double gain) {
  return reachedObjective(loss, d) && damping <= 1e-3 && !d.settled && fabs(1 - gain) < 0.3 && d.decrease <= 0.1;
}

// After a system that was not positive definite. False where no damping makes it so: it holds a number that is not
// finite.
SFM_HD bool dampHarder(Descent* d) {
  d->damping *= 10;
  return d->damping < 1e12;
}

// After a step for which the quadratic model promised the decrease `predicted` and which led to `trialValue` (infinite
// where it is not to be had): true where it is accepted.
SFM_HD bool judgeStep(double costTolerance, double predicted, double trialValue, Descent* d) {
  if (trialValue <= d->value && predicted > 0) {
    const double gain = (d->value - trialValue) / predicted;
    d->decrease = d->value > 0 ? (d->value - trialValue) / d->value : 0;
    d->value = trialValue;
    const double k = 2 * gain - 1;
    const double shrink = 1 - k * k * k;
    d->damping *= shrink > 1.0 / 5 ? shrink : 1.0 / 5;
    d->damping = d->damping > 1e-9 ? d->damping : 1e-9;
    d->growth = 2;
    // What is left to gain shrinks at least as fast as the model errs: no need to spend an iteration on seeing it.
    const double rate = fabs(1 - gain) > d->damping ? fabs(1 - gain) : d->damping;
    d->settled = d->decrease * (rate < 1 ? rate : 1) < 0.3 * costTolerance || d->decrease < costTolerance;
    return true;
  }
  // Nothing left to gain, or nothing that the arithmetic can still see.
  d->settled = !(predicted > costTolerance * d->value) || !(d->damping < 1e9);
  d->damping *= d->growth;
  d->growth *= 2;
  return false;
}

}  // namespace sfm
