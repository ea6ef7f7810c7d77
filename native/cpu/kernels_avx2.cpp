#include "cpu/simd/Avx2.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

constinit const CpuKernels kAvx2Kernels = tableOf<SimdKernels>("avx2", &hasAvx2);

}  // namespace sfm
