// A build without CUDA: there are no devices.
#include "core/Error.h"
#include "cuda/CudaBackend.h"

namespace sfm::cuda {

Devices findDevices() { return {}; }

std::unique_ptr<Backend> makeBackend(const std::vector<DeviceInfo>&, std::shared_ptr<CpuBackend>, int) {
  throw Error(ErrorCode::DEVICE_UNAVAILABLE, "this build has no CUDA backend");
}

}  // namespace sfm::cuda
