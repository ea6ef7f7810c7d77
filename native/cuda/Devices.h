// The machine's CUDA devices that this build can use. Needs no header of CUDA's, and is there in builds without CUDA.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sfm::cuda {

struct DeviceInfo {
  int ordinal = 0;  // as CUDA counts
  std::string name;
  size_t memory = 0;  // bytes
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  size_t sharedBytes = 0;  // of shared memory that a block may have
};

struct Devices {
  std::vector<DeviceInfo> usable;
  // Of a device or driver that is there, but of no use: what is wrong with it. Empty where there is nothing at all.
  std::string trouble;
};

// Asks the driver, which may take its time when it is asked first. Never throws.
Devices findDevices();

}  // namespace sfm::cuda
