// A build without CUDA: there are no devices.
#include "cuda/Devices.h"

namespace sfm::cuda {

Devices findDevices() { return {}; }

}  // namespace sfm::cuda
