// The kernels of one instruction set, made from the Vec that the including translation unit has chosen.
#pragma once

#include "cpu/FitSolver.h"
#include "cpu/JointSolver.h"
#include "cpu/PersonEvidence.h"
#include "cpu/kernels/DecodeMirrored.h"
#include "cpu/kernels/Limits.h"
#include "cpu/kernels/Linear.h"

namespace sfm {
namespace {

// The products overshoot their matrices by less than the workspace has to spare.
static_assert(SimdKernels::kInverseColumns <= kInverseStrip);
static_assert(SimdKernels::kTile <= kRowSlack);
static_assert(kColumnMultiple % SimdKernels::kTile == 0);

template <class Kernels>
bool fitKernel(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
               FitWorkspace<float>& workspace, const FitProblem& problem, FitSolution& solution) {
  return FitSolver<Kernels>(model, basis, options, space, workspace).solve(problem, solution);
}

template <class Kernels>
bool jointKernel(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                 FitWorkspace<float>& workspace, JointWorkspace<float>& scratch, const FitProblem& problem,
                 const JointPass& pass, JointImage& image, FitSolution& solution) {
  return JointSolver<Kernels>(model, basis, options, space, workspace, scratch, pass, image).solve(problem, solution);
}

// Those of an instruction set, whose fits take their products from Kernels.
template <class Kernels>
constexpr CpuKernels tableOf(const char* name, bool (*supported)()) {
  CpuKernels table = {};
  table.name = name;
  table.supported = supported;
  table.decode = &decodeKernel;
  table.decodeMirrored = &decodeMirroredKernel;
  table.fit = &fitKernel<Kernels>;
  table.joint = &jointKernel<Kernels>;
  table.weighEvidence = &weighEvidence<Kernels>;
  table.multiplyAdds = &multiplyAddsKernel;
  table.stream = &streamKernel;
  return table;
}

}  // namespace
}  // namespace sfm
