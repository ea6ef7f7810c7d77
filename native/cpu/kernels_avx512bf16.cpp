#include "cpu/simd/Bf16Pairs.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/RoughLinear.h"
#include "cpu/kernels/Table.h"

namespace sfm {

constinit const CpuKernels kAvx512Bf16Kernels = tableOf<RoughKernels>("avx512bf16", &hasAvx512Bf16);

}  // namespace sfm
