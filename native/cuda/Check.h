// CUDA's status codes as typed errors.
#pragma once

#include <cuda_runtime_api.h>

namespace sfm::cuda {

// Throws Error: OUT_OF_MEMORY; DEVICE_UNAVAILABLE where there is no device, none that this build has code for, or the
// device has been lost, so that every later call would fail alike; INTERNAL for what only a mistake of ours can bring
// about. `what` is what was being done.
void check(cudaError_t status, const char* what);

// After a launch.
void checkLaunch(const char* kernel);

}  // namespace sfm::cuda
