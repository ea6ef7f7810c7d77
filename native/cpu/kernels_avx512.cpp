#include "cpu/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

const CpuKernels kAvx512Kernels = {"avx512",
                                   &hasAvx512,
                                   &decodeKernel,
                                   &decodeMirroredKernel,
                                   &fitKernel<SimdKernels>,
                                   &jointKernel<SimdKernels>,
                                   &weighEvidence<SimdKernels>,
                                   &multiplyAddsKernel,
                                   &streamKernel};

}  // namespace sfm
