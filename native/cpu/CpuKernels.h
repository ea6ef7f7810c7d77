// The table of kernels that each instruction set fills in, and the choice among them at run time.
#pragma once

#include <vector>

#include "core/FaceModel.h"
#include "core/Fit.h"
#include "core/LandmarkBasis.h"
#include "core/Platform.h"
#include "cpu/FitWorkspace.h"

namespace sfm {

// A batch of faces to decode: plain pointers, filled by the caller.
struct DecodeFaces {
  const float* coefficients = nullptr;  // [B][columnCount], see FaceModel::decodeCoefficients
  const float* poses = nullptr;         // [B][12] rotation (row-major) and translation; null: model space
  float* vertices = nullptr;            // [B][pointCount][3]
};

struct CpuKernels {
  const char* name;
  bool (*supported)();
  // Faces [faceBegin, faceEnd) of panels [panelBegin, panelEnd). `scratch`: columnCount * 48 floats.
  void (*decode)(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                 int faceEnd, float* scratch);
  // False where the problem wants double precision (fitReference).
  bool (*fit)(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
              FitWorkspace<float>& workspace, const FitProblem& problem, FitSolution& solution);
};

// Those compiled in and supported here, best first; the last is the portable one.
const std::vector<const CpuKernels*>& cpuKernels();
// By name ("avx512", "avx2", "neon", "portable"); null where it is not to be had.
const CpuKernels* findCpuKernels(const char* name);

// The scalar double-precision references.
void decodeReference(const DecodeBasis& basis, const DecodeFaces& faces, int faceBegin, int faceEnd, double* vertices);
void fitReference(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                  FitWorkspace<double>& workspace, const FitProblem& problem, FitSolution& solution);

extern const CpuKernels kPortableKernels;
#if defined(SFM_X86_64)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
#elif defined(SFM_ARM64)
extern const CpuKernels kNeonKernels;
#endif

}  // namespace sfm
