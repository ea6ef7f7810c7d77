// The fit as a device computes it: what its memory holds, and the launch. No header of CUDA's is needed to read this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/Fit.h"

using cudaStream_t = struct CUstream_st*;

namespace sfm::cuda {

// A landmark scheme of a model in device memory; rows and columns as in core/LandmarkBasis.h.
struct DeviceFitModel {
  int landmarkCount = 0;    // L
  int presentCount = 0;     // landmarks that the model has
  int identityCount = 0;    // K
  int tangentCount = 0;     // D
  int expressionCount = 0;  // E
  int nuisanceCount = 0;    // Q + q
  int nuisanceStart = 0;    // column of a row
  int expressionStart = 0;  // column of a row
  int stride = 0;           // floats in a row, a multiple of 16
  bool spherical = false;
  double radius = 0;          // 0 for a Gaussian model
  double inverseRadius = 0;   // 0 for a Gaussian model
  double largestTangent = 0;  // infinite for a Gaussian model
  const int* present = nullptr;               // [presentCount]
  const float* rows = nullptr;                // [L,3,stride], aligned to 256 bytes
  const float* mean = nullptr;                // [L,3]
  const float* slack = nullptr;               // [L,3] r * a_t
  const float* noiseFactors = nullptr;        // [L]
  const double* priorPrecision = nullptr;     // [D,D]; null: the identity
  const float* expressionBounds = nullptr;    // [E,2]
  const float* expressionStddev = nullptr;    // [E]
  const float* expressionMean = nullptr;      // [E]
  const double* reflector = nullptr;          // [K] of FaceModel::latentFromTangent; null: none
};

// Problems and solutions in device memory; the arrays as in core/Batch.h.
struct DeviceFitBatch {
  int count = 0;  // B
  ObservationSpace space = ObservationSpace::kImage;
  FitOptions options;
  const double* points = nullptr;      // [B,L,2|3]
  const float* confidence = nullptr;   // [B,L]; null: all 1
  const double* cameras = nullptr;     // [B,FitBatch::kCameraSize]
  double* records = nullptr;           // out [B,kRecordSize]
  // out [B,K + D + E + L + L]; with a posterior D(D+1)/2 + D more, as a solver leaves them (core/Fit.h)
  float* arrays = nullptr;
  // out [B]: 1 where the problem wants double precision or could not be solved here: the CPU solves it anew, and what
  // the other outputs hold of it does not matter.
  uint8_t* unsolved = nullptr;
};

// Whether the kernel takes problems of this size on that device: its working set may exceed the shared memory.
bool supportsFit(const DeviceFitModel& model, const FitOptions& options, ObservationSpace space, int device);

// Bytes of device memory that a launch of up to `count` problems works in.
size_t fitWorkspaceBytes(const DeviceFitModel& model, const FitOptions& options, int count, int device);

// Appends the whole fit to the stream; returns before it is done. `workspace` is aligned to 256 bytes and belongs to
// the launch until the stream has passed it. May be captured in a graph. Throws Error (cuda/Check.h).
void launchFit(const DeviceFitModel& model, const DeviceFitBatch& batch, void* workspace, cudaStream_t stream);

}  // namespace sfm::cuda
