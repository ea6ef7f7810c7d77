// CUDA devices as a backend. Needs no header of CUDA's, and is there in builds without CUDA.
#pragma once

#include <memory>
#include <vector>

#include "cpu/CpuBackend.h"
#include "cuda/Devices.h"

namespace sfm::cuda {

// A backend of these devices, at least one, which share every batch. What they do not compute (joint fits, fits
// with derivatives, in double precision, of models too large for a block's memory, single problems that need double
// precision, what of a posterior comes after the information on the identity) the CPU does; so does decodeNow. Begins to work at once; asks a device for memory when the first call
// comes.
std::unique_ptr<Backend> makeBackend(const std::vector<DeviceInfo>& devices, std::shared_ptr<CpuBackend> cpu,
                                     int queueLimit);

}  // namespace sfm::cuda
