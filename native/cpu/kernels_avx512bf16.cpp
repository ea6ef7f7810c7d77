#include "cpu/simd/Bf16Pairs.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/RoughLinear.h"
#include "cpu/kernels/Table.h"

namespace sfm {

const CpuKernels kAvx512Bf16Kernels = {"avx512bf16",
                                       &hasAvx512Bf16,
                                       &decodeKernel,
                                       &decodeMirroredKernel,
                                       &fitKernel<RoughKernels>,
                                       &jointKernel<RoughKernels>,
                                       &weighEvidence<RoughKernels>,
                                       &multiplyAddsKernel,
                                       &streamKernel};

}  // namespace sfm
