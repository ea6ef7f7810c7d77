#include "cpu/simd/Neon.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

constinit const CpuKernels kNeonKernels = tableOf<SimdKernels>("neon", &hasNeon);

}  // namespace sfm
