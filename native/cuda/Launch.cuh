// Launching kernels; in the tests, on the fake device of test/shim.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/Check.h"
#include "cuda/Device.cuh"

namespace sfm::cuda {

struct LaunchShape {
  dim3 grid, block;
  size_t sharedBytes = 0;
};

#if defined(__CUDACC__)

// Lets a kernel have more dynamic shared memory than every kernel may, on the calling thread's device.
template <class... Parameters>
void allowShared(void (*kernel)(Parameters...), size_t bytes) {
  check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        "giving a kernel its shared memory");
}

// How much of what caches and shared memory have together is to be shared memory, of 100.
template <class... Parameters>
void preferShared(void (*kernel)(Parameters...), int percent) {
  check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributePreferredSharedMemoryCarveout,
                             percent),
        "giving a kernel its shared memory");
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            Arguments... arguments) {
  kernel<<<shape.grid, shape.block, shape.sharedBytes, stream>>>(arguments...);
  checkLaunch(name);
}

// Whether this build has code for the calling thread's device.
template <class... Parameters>
bool hasCode(void (*kernel)(Parameters...)) {
  cudaFuncAttributes attributes;
  const bool has = cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel)) == cudaSuccess;
  if (!has) cudaGetLastError();
  return has;
}

#else

template <class... Parameters>
void allowShared(void (*)(Parameters...), size_t bytes) {
  check(sfm::shim::allowShared(bytes), "giving a kernel its shared memory");
}

template <class... Parameters>
void preferShared(void (*)(Parameters...), int) {}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            Arguments... arguments) {
  check(sfm::shim::append(stream, shape.grid, shape.block, shape.sharedBytes, [=] { kernel(arguments...); }), name);
}

template <class... Parameters>
bool hasCode(void (*)(Parameters...)) {
  return sfm::shim::hasCode();
}

#endif

}  // namespace sfm::cuda
