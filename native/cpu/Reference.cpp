// The scalar double-precision references.
#include "core/Half.h"
#include "cpu/CpuKernels.h"
#include "cpu/FitSolver.h"
#include "cpu/JointSolver.h"
#include "cpu/kernels/ReferenceLinear.h"

namespace sfm {

void decodeReference(const DecodeBasis& basis, const DecodeFaces& faces, int faceBegin, int faceEnd, double* vertices) {
  for (int face = faceBegin; face < faceEnd; ++face) {
    for (int point = 0; point < basis.pointCount; ++point) {
      const size_t panel = static_cast<size_t>(point) / DecodeBasis::kPanel,
                   lane = static_cast<size_t>(point) % DecodeBasis::kPanel;
      double x[3];
      for (size_t a = 0; a < 3; ++a) {
        x[a] = basis.mean[panel * DecodeBasis::kRow + a * DecodeBasis::kPanel + lane];
        for (int c = 0; c < basis.columnCount; ++c) {
          const size_t at = (panel * basis.columnCount + c) * DecodeBasis::kRow + a * DecodeBasis::kPanel + lane;
          const double value = basis.isHalf() ? halfToFloat(basis.halves[at]) : basis.floats[at];
          x[a] += value * static_cast<double>(faces.coefficients[static_cast<size_t>(face) * basis.columnCount + c]);
        }
      }
      double* out = vertices + (static_cast<size_t>(face - faceBegin) * basis.pointCount + point) * 3;
      for (size_t a = 0; a < 3; ++a) {
        out[a] = x[a];
        if (!faces.poses) continue;
        const float* pose = faces.poses + static_cast<size_t>(face) * 12;
        out[a] = pose[9 + a];
        for (size_t b = 0; b < 3; ++b) out[a] += static_cast<double>(pose[3 * a + b]) * x[b];
      }
    }
  }
}

void fitReference(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                  FitWorkspace<double>& workspace, const FitProblem& problem, FitSolution& solution) {
  FitSolver<ReferenceKernels>(model, basis, options, space, workspace).solve(problem, solution);
}

void jointReference(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options,
                    ObservationSpace space, FitWorkspace<double>& workspace, JointWorkspace<double>& scratch,
                    const FitProblem& problem, const JointPass& pass, JointImage& image, FitSolution& solution) {
  JointSolver<ReferenceKernels>(model, basis, options, space, workspace, scratch, pass, image).solve(problem, solution);
}

}  // namespace sfm
