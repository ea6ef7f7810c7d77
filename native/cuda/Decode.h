// Decoding on a device: the basis in its memory, and the launches.
#pragma once

#include "core/Batch.h"
#include "cuda/Devices.h"
#include "cuda/Runtime.h"

namespace sfm::cuda {

// The basis of some points, in the memory of the calling thread's device.
class DeviceBasis {
 public:
  // Returns when it is there. Throws Error.
  DeviceBasis(const DecodeBasis& basis, const DeviceInfo& device, cudaStream_t stream);

  int pointCount() const { return pointCount_; }
  int columnCount() const { return columnCount_; }
  size_t bytes() const { return panels_.bytes() + mean_.bytes() + fragments_.bytes(); }
  // Whether a decode of that precision goes through the tensor cores. A matter of the model, the device and the
  // precision alone: batches of any size give the same bits.
  bool onTensorCores(DecodePrecision precision) const {
    return fragments_.data() != nullptr && precision != DecodePrecision::kExact;
  }

  // Bytes that a decode of `count` faces works in.
  size_t workspaceBytes(DecodePrecision precision, int count) const;
  // Appends the decode to the stream: coefficients [B,C], poses [B,12] or null, vertices [B,N,3], all on the device,
  // aligned to 256 bytes like the workspace. At most kLargestLaunch faces.
  void decode(DecodePrecision precision, const float* coefficients, const float* poses, int count, float* vertices,
              void* workspace, cudaStream_t stream) const;

  static constexpr int kLargestLaunch = 32768;

 private:
  struct Prepared;  // faces
  template <int kSteps, int kHalves, bool kPosed>
  void onTensorCores(const Prepared& faces, float* vertices, cudaStream_t stream) const;
  void onTensorCores(DecodePrecision precision, const Prepared& faces, float* vertices, cudaStream_t stream) const;

  int pointCount_, panelCount_, columnCount_;
  bool half_;
  int steps_;  // columns / 16, rounded up to what there are kernels for; 0: none
  int multiprocessors_;
  size_t sharedBytes_;
  DeviceMemory panels_;     // as in DecodeBasis
  DeviceMemory mean_;       // likewise
  DeviceMemory fragments_;  // see DecodeKernels.cuh; none where the tensor cores are not used
};

// A mesh's triangles, for its normals.
class DeviceTriangles {
 public:
  DeviceTriangles(const FaceModel& model, cudaStream_t stream);
  // vertices, normals: [B,N,3] on the device; at most kLargestLaunch faces.
  void normals(const float* vertices, int count, float* normals, cudaStream_t stream) const;
  size_t bytes() const { return triangles_.bytes() + adjacency_.bytes() + adjacencyStart_.bytes(); }

 private:
  int vertexCount_;
  DeviceMemory triangles_, adjacency_, adjacencyStart_;
};

}  // namespace sfm::cuda
