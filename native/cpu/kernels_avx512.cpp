#include "cpu/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

constinit const CpuKernels kAvx512Kernels = tableOf<SimdKernels>("avx512", &hasAvx512);

}  // namespace sfm
