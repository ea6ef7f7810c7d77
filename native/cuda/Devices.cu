#include "cuda/Devices.h"

#include <cuda_runtime_api.h>

#include "cuda/Launch.cuh"
#include "cuda/Runtime.h"

namespace sfm::cuda {

namespace {

// Tensor cores for 16-bit floats with the instructions that the kernels use came with Turing.
constexpr int kOldestMajor = 7, kOldestMinor = 5;

__global__ void nothing() {}

// Why the device is of no use, or empty.
std::string troubleOf(const DeviceInfo& device) {
  const std::string capability = std::to_string(device.major) + "." + std::to_string(device.minor);
  if (device.major < kOldestMajor || (device.major == kOldestMajor && device.minor < kOldestMinor))
    return device.name + " has compute capability " + capability + "; 7.5 is the least";
  try {
    const OnDevice on(device.ordinal);
    if (!hasCode(nothing))
      return "this build has no code for " + device.name + " (compute capability " + capability + ")";
  } catch (const std::exception& error) {
    return device.name + ": " + error.what();
  }
  return "";
}

}  // namespace

Devices findDevices() {
  Devices devices;
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    // Without a driver there is nothing to say: such machines are usual.
    int driver = 0;
    if (status == cudaErrorNoDevice || cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      cudaGetLastError();
      return devices;
    }
    devices.trouble = std::string("CUDA: ") + cudaGetErrorString(status) + " (the driver is for CUDA " +
                      std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10) + ")";
    return devices;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) {
      devices.trouble =
          std::string("CUDA: device ") + std::to_string(i) + ": " + cudaGetErrorString(cudaGetLastError());
      continue;
    }
    DeviceInfo device;
    device.ordinal = i;
    device.name = properties.name;
    device.memory = properties.totalGlobalMem;
    device.major = properties.major;
    device.minor = properties.minor;
    device.multiprocessors = properties.multiProcessorCount;
    device.sharedBytes = properties.sharedMemPerBlockOptin;
    const std::string trouble = troubleOf(device);
    if (trouble.empty())
      devices.usable.push_back(device);
    else
      devices.trouble = trouble;
  }
  return devices;
}

}  // namespace sfm::cuda
