#include "cpu/simd/AmxTiles.h"
#include "cpu/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/DecodeMirroredTiles.h"
#include "cpu/kernels/DecodeTiles.h"

namespace sfm {

namespace {

// What is not for tiles is AVX-512's.
void decodeOnVectors(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                     int faceEnd, float* scratch) {
  kAvx512Kernels.decode(basis, faces, panelBegin, panelEnd, faceBegin, faceEnd, scratch);
}

void decodeMirroredOnVectors(const MirroredBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                             int faceBegin, int faceEnd, float* scratch) {
  kAvx512Kernels.decodeMirrored(basis, faces, panelBegin, panelEnd, faceBegin, faceEnd, scratch);
}

bool fitOnVectors(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options, ObservationSpace space,
                  FitWorkspace<float>& workspace, const FitProblem& problem, FitSolution& solution) {
  return kAvx512Bf16Kernels.fit(model, basis, options, space, workspace, problem, solution);
}

bool jointOnVectors(const FaceModel& model, const LandmarkBasis& basis, const FitOptions& options,
                    ObservationSpace space, FitWorkspace<float>& workspace, JointWorkspace<float>& scratch,
                    const FitProblem& problem, const JointPass& pass, JointImage& image, FitSolution& solution) {
  return kAvx512Bf16Kernels.joint(model, basis, options, space, workspace, scratch, problem, pass, image, solution);
}

bool weighOnVectors(int d, const EvidenceToWeigh& evidence, double* out) {
  return kAvx512Bf16Kernels.weighEvidence(d, evidence, out);
}

double multiplyAddsOnVectors(long long rounds, float* sink) { return kAvx512Kernels.multiplyAdds(rounds, sink); }

void streamOnVectors(float* to, size_t count, float value) { kAvx512Kernels.stream(to, count, value); }

}  // namespace

const CpuKernels kAmxKernels = {"amx",
                                &hasAmx,
                                &decodeOnVectors,
                                &decodeMirroredOnVectors,
                                &fitOnVectors,
                                &jointOnVectors,
                                &weighOnVectors,
                                &multiplyAddsOnVectors,
                                &streamOnVectors,
                                &decodeOnTiles<AmxTiles, true>,
                                &decodeOnTiles<AmxTiles, false>,
                                &decodeMirroredOnTiles<AmxTiles, true>,
                                &decodeMirroredOnTiles<AmxTiles, false>};

}  // namespace sfm
