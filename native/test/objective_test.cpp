// The objective of a fit and its derivatives, reached from inside the solver: gradient and Gauss-Newton matrix against finite
// differences, the cost against its definition, the posterior against the inverse of the whole normal matrix.
#include "cpu/FitSolver.h"

#include "cpu/kernels/ReferenceLinear.h"
#include "test/Check.h"
#include "test/Scene.h"

namespace sfm {
namespace {

// The double-precision solver with its steps laid open.
struct FitSolverProbe {
  using Solver = FitSolver<ReferenceKernels>;

  FitSolverProbe(const Scene& scene, const FitOptions& options, bool scan);
  // All that comes before the first iteration, and then the loss as it is in the end.
  FitFailure begin(const FitProblem& problem, FitSolution& solution) {
    solver.problem_ = &problem;
    solver.clear(solution);
    FitFailure failure = solver.selectLandmarks();
    if (failure == FitFailure::kNone) failure = solver.start();
    solver.current_ = 0;
    setLoss(options.loss);
    return failure;
  }
  void setLoss(RobustLoss loss) {
    solver.loss_ = loss;
    solver.blur_ = 1;
  }
  void solve(const FitProblem& problem, FitSolution& solution) { solver.solve(problem, solution); }

  FitState<double>& state() { return workspace.states[solver.current_]; }
  int unknowns() const { return solver.unknowns(); }
  int poseStart() const { return solver.poseStart(); }
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
  const FitEvaluation<double>& evaluate() {
    solver.evaluate(state(), workspace.evaluations[solver.current_]);
    return workspace.evaluations[solver.current_];
  }
  double cost() { return solver.cost(state(), workspace.evaluations[solver.current_]); }
  void linearise(bool secondOrder) {
    evaluate();
    solver.secondOrder_ = secondOrder;
    solver.linearise(state(), workspace.evaluations[solver.current_]);
  }
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
