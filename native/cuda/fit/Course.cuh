// The course of a fit on a block: what comes after what (docs/fitting.md, and cpu/FitSolver.h, which does the same with
// calls and loops). Here the first thread says what the block is to do, the block does it, and the first thread makes
// of the outcome what comes next. So each step of the work has one place in the kernel, where its registers are its own.
#pragma once

#include "cuda/fit/Block.cuh"

namespace sfm::cuda {

constexpr int kMostPoseSteps = 2;  // without the nuisances

// For the first thread alone.
template <class Block>
class Course {
 public:
  __device__ Course() : memory_(Block::memory()), descent_(memory_.descent), loss_(Block::options().loss) {}

  // A problem whose start is known.
  __device__ void begin() {
    descent_.objective = {loss_, 1};
    memory_.furtherSteps = 0;
    if (memory_.start.failure != FitFailure::kNone)
      go(Stage::kWeighed, Action::kWeigh);
    else if (memory_.start.noise.blur > kSinglePrecisionBlur)
      giveUp();
    else
      go(Stage::kStart, Action::kLook);
  }

  // After what has been done; `solved`: a step that was asked for has been made.
  __device__ void advance(bool solved) {
    switch (memory_.stage) {
      case Stage::kStart:
        return start();
      case Stage::kBegun:
        descent_.value = memory_.cost;
        return decide();
      case Stage::kSharpened:
        descent_.value = memory_.cost;
        return step();
      case Stage::kTried:
        return solved ? judge() : notSolved();
      case Stage::kReached:
        descent_.value = memory_.cost;
        return linearise(Stage::kLinearised);
      case Stage::kLinearised:
        return measure();
      case Stage::kMeasured:
        return weigh();
      case Stage::kRelinearised:
        return inform();
      case Stage::kInformed:
        return solved ? go(Stage::kWeighed, Action::kWeigh) : giveUp();
      case Stage::kWeighed:
        return settle();
      case Stage::kDropped:
        descent_.value = memory_.cost;
        return stepPose();
      case Stage::kPosed:
        return keepBetter(solved);
    }
  }

 private:
  __device__ void go(Stage stage, Action action) {
    memory_.stage = stage;
    memory_.action = action;
  }

  __device__ void start() {
    if (!memory_.valid) {
      memory_.solution.failure = FitFailure::kBehindCamera;
      return go(Stage::kWeighed, Action::kWeigh);
    }
    memory_.solution.initialCost = memory_.cost;
    descent_ = beginDescent(memory_.start.noise.blur);
    memory_.coarse = beginsCoarsely(Block::columns().identities, Block::columns().nuisances, descent_.objective);
    go(Stage::kBegun, Action::kValue);
  }

  // With which objective it goes on, and whether there is anything to gain.
  __device__ void decide() {
    if (descent_.iteration >= Block::options().maxIterations) return end();
    const bool sharpened = sharpenObjective(loss_, &descent_);
    if (widensSystem(memory_.coarse, &descent_)) memory_.coarse = 0;
    if (descent_.settled) return end();
    memory_.linearised = 0;
    if (sharpened) return go(Stage::kSharpened, Action::kValue);
    step();
  }

  __device__ void step() {
    memory_.unknowns = memory_.coarse ? Unknowns::kCoarse : Unknowns::kAll;
    memory_.factoredDamping = descent_.damping;
    go(Stage::kTried, Action::kStep);
  }

  // After a system that was not positive definite.
  __device__ void notSolved() {
    if (memory_.furtherSteps > 0) return next();
    if (dampHarder(&descent_))
      step();
    else
      giveUp();
  }

  // Whether the trial is accepted, and whether that ends the iteration.
  __device__ void judge() {
    const double value = descent_.value, trial = memory_.valid ? memory_.cost : HUGE_VAL;
    const bool accepted = judgeStep(Block::options().costTolerance, memory_.predicted, trial, &descent_);
    if (accepted) memory_.current = 1 - memory_.current;
    if (!accepted && !descent_.settled) {
      if (memory_.furtherSteps == 0) return step();
      // The matrix may be to blame, not its damping.
      descent_ = memory_.before;
      return next();
    }
    const double gain = accepted && memory_.fraction == 1 ? (value - trial) / memory_.predicted : 0;
    if (mayGoOn() && factorsServe(loss_, descent_, memory_.factoredDamping, gain)) {
      memory_.before = descent_;
      ++memory_.furtherSteps;
      return go(Stage::kTried, Action::kStep);
    }
    next();
  }

  __device__ bool mayGoOn() const {
    return !memory_.coarse && isLargeSystem(Block::columns().identities, Block::columns().nuisances) &&
           memory_.furtherSteps < kMostFurtherSteps;
  }

  __device__ void next() {
    memory_.furtherSteps = 0;
    ++descent_.iteration;
    decide();
  }

  __device__ void end() {
    const bool reached = reachedObjective(loss_, descent_);
    const bool linearised = reached && !memory_.coarse;
    memory_.solution.iterations = descent_.iteration;
    memory_.solution.status = reached && descent_.settled ? FitStatus::kConverged : FitStatus::kMaxIterations;
    memory_.solution.uncertainty = NAN;
    descent_.objective = {loss_, 1};
    if (linearised) return measure();
    // The iterations ran out on the way to the objective: what is reported is about the objective all the same.
    memory_.coarse = 0;
    memory_.linearised = 0;
    go(Stage::kReached, Action::kValue);
  }

  __device__ void measure() {
    memory_.unknowns = Unknowns::kIdentityLast;
    go(Stage::kMeasured, Action::kCovariance);
  }

  __device__ void weigh() {
    memory_.solution.finalCost = descent_.value;
    if (!isfinite(descent_.value) || !isfinite(memory_.solution.uncertainty)) return giveUp();
    if (!Block::options().posterior) return go(Stage::kWeighed, Action::kWeigh);
    // Of the optimum itself: the last step may have been by an older matrix.
    linearise(Stage::kRelinearised);
  }

  __device__ void inform() {
    memory_.unknowns = Unknowns::kIdentityLast;
    go(Stage::kInformed, Action::kInformation);
  }

  __device__ void linearise(Stage stage) {
    memory_.unknowns = Unknowns::kAll;
    memory_.linearised = 0;
    go(stage, Action::kLinearise);
  }

  // Without the nuisances: they have been dropped by now.
  __device__ void settle() {
    if (memory_.solution.failure != FitFailure::kNone || Block::columns().nuisances == 0) return report();
    descent_.damping = 1e-3;
    memory_.poseSteps = 0;
    go(Stage::kDropped, Action::kLook);
  }

  __device__ void stepPose() {
    ++memory_.poseSteps;
    memory_.unknowns = Unknowns::kPose;
    memory_.factoredDamping = descent_.damping;
    go(Stage::kPosed, Action::kStep);
  }

  // Goes on from the trial where it is better.
  __device__ void keepBetter(bool solved) {
    if (!solved || !memory_.valid || !(memory_.cost < descent_.value)) return report();
    descent_.value = memory_.cost;
    memory_.current = 1 - memory_.current;
    if (memory_.poseSteps < kMostPoseSteps)
      stepPose();
    else
      report();
  }

  __device__ void giveUp() { memory_.action = Action::kGiveUp; }

  __device__ void report() { memory_.action = Action::kReport; }

  typename Block::Memory& memory_;
  Descent& descent_;
  const RobustLoss loss_;
};

}  // namespace sfm::cuda
