// The device that a CUDA test runs on: a fake one through the shim, or the machine's first.
#pragma once

#include <cstdio>

#include "cuda/Devices.h"
#include "cuda/Runtime.h"
#include "test/Check.h"

#if defined(SFM_CUDA_ON_SHIM)
#include <vector>

#include "test/shim/FakeRuntime.h"
#endif

namespace sfm::test {

// Says so where there is none.
inline bool haveGpu() {
#if defined(SFM_CUDA_ON_SHIM)
  shim::makeDevices({{}});
#endif
  const cuda::Devices devices = cuda::findDevices();
  if (!devices.usable.empty()) {
    note("on ", devices.usable[0].name);
    return true;
  }
  std::printf("no CUDA device that this build can use%s%s\n", devices.trouble.empty() ? "" : ": ",
              devices.trouble.c_str());
  return false;
}

class GpuDevice {
 public:
  GpuDevice() : info_(cuda::findDevices().usable.at(0)), on_(info_.ordinal), stream_(cuda::makeStream()) {}
  const cuda::DeviceInfo& info() const { return info_; }
  cudaStream_t stream() const { return stream_.get(); }

 private:
  cuda::DeviceInfo info_;
  cuda::OnDevice on_;
  cuda::Stream stream_;
};

}  // namespace sfm::test
