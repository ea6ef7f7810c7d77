// A landmark scheme in a device's memory, for the fit.
#pragma once

#include "core/Batch.h"
#include "cuda/FitKernel.h"
#include "cuda/Runtime.h"

namespace sfm::cuda {

// The sizes alone, all pointers null.
DeviceFitModel fitSizes(const FaceModel& model, const LandmarkBasis& basis);

class DeviceScheme {
 public:
  // On the calling thread's device; returns when it is there.
  DeviceScheme(const FaceModel& model, const LandmarkBasis& basis, cudaStream_t stream);
  const DeviceFitModel& view() const { return view_; }

 private:
  DeviceFitModel view_;
  DeviceMemory memory_;
};

}  // namespace sfm::cuda
