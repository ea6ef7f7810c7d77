// The table of kernels that each instruction set fills in, and the choice among them at run time.
#pragma once

#include <vector>

#include "core/FaceModel.h"
#include "core/Fit.h"
#include "core/JointEvidence.h"
#include "core/LandmarkBasis.h"
#include "core/MirroredBasis.h"
#include "core/Platform.h"
#include "cpu/FitWorkspace.h"
#include "cpu/JointImage.h"
#include "cpu/PersonEvidence.h"

namespace sfm {

// A batch of faces to decode: plain pointers, filled by the caller.
struct DecodeFaces {
  const float* coefficients = nullptr;  // [B][columnCount], see FaceModel::decodeCoefficients
  const float* poses = nullptr;         // [B][12] rotation (row-major) and translation; null: model space
  float* vertices = nullptr;            // [B][pointCount][3]
  bool stream = false;                  // writes past the caches: for outputs that they could not hold anyway
};

// What a decode works in, in numbers: the results on their way past the caches, and the converted basis of a few panels
// and coefficients of all faces.
constexpr int kStagedPanels = 16;  // a quarter of a megabyte of halves, which the second-level cache holds
constexpr int kStagedFaces = 32;
constexpr size_t kStageSize = static_cast<size_t>(kStagedFaces) * kStagedPanels * DecodeBasis::kRow;
size_t decodeScratch(const DecodeBasis& basis, int faces);
size_t decodeScratch(const MirroredBasis& basis, int faces);

// Faces [faceBegin, faceEnd) of panels [panelBegin, panelEnd). `scratch`: decodeScratch(basis, faceEnd - faceBegin),
// aligned to a cache line.
using DecodeFunction = void (*)(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                                int faceBegin, int faceEnd, float* scratch);

// Likewise of a basis whose sides mirror each other; a face's coefficients are those of the basis's rows. Vectors need no
// scratch.
using DecodeMirroredFunction = void (*)(const MirroredBasis& basis, const DecodeFaces& faces, int panelBegin,
                                        int panelEnd, int faceBegin, int faceEnd, float* scratch);

struct CpuKernels {
  const char* name;
  bool (*supported)();
  DecodeFunction decode;  // in single precision
  DecodeMirroredFunction decodeMirrored;
  // False where the problem wants double precision (fitReference).
  bool (*fit)(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
              FitWorkspace<float>& workspace, const FitProblem& problem, FitSolution& solution);
  // Likewise (jointReference).
  bool (*joint)(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                FitWorkspace<float>& workspace, JointWorkspace<float>& scratch, const FitProblem& problem,
                const JointPass& pass, JointImage& image, FitSolution& solution);
  // weighEvidence, for an identity of d coordinates.
  bool (*weighEvidence)(int d, const EvidenceToWeigh& evidence, double* out);
  // Loops of nothing else, for benchmarks: kernels/Limits.h.
  double (*multiplyAdds)(long long rounds, float* sink);
  void (*stream)(float* to, size_t count, float value);
  // By matrix instructions, of a basis of 16-bit floats, or of both sides of one: for latents within five standard
  // deviations within 0.001 mm, and faster, within 0.1 mm. Null: there are none.
  DecodeFunction decodeOnTiles = nullptr;
  DecodeFunction decodeOnTilesFast = nullptr;
  DecodeMirroredFunction decodeMirroredOnTiles = nullptr;
  DecodeMirroredFunction decodeMirroredOnTilesFast = nullptr;
};

// Those compiled in and supported here, best first; the last is the portable one.
const std::vector<const CpuKernels*>& cpuKernels();
// By name ("amx", "avx512bf16", "avx512", "avx2", "neon", "portable"); null where it is not to be had.
const CpuKernels* findCpuKernels(const char* name);

// The scalar double-precision references.
void decodeReference(const DecodeBasis& basis, const DecodeFaces& faces, int faceBegin, int faceEnd, double* vertices);
void fitReference(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                  FitWorkspace<double>& workspace, const FitProblem& problem, FitSolution& solution);
void jointReference(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options,
                    ObservationSpace space, FitWorkspace<double>& workspace, JointWorkspace<double>& scratch,
                    const FitProblem& problem, const JointPass& pass, JointImage& image, FitSolution& solution);

extern const CpuKernels kPortableKernels;
#if defined(SFM_X86_64)
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kAvx512Bf16Kernels;
#if defined(SFM_AMX)
extern const CpuKernels kAmxKernels;
#endif
#elif defined(SFM_ARM64)
extern const CpuKernels kNeonKernels;
#endif

}  // namespace sfm
