#include "cpu/simd/Avx2.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

const CpuKernels kAvx2Kernels = {"avx2",
                                 &hasAvx2,
                                 &decodeKernel,
                                 &decodeMirroredKernel,
                                 &fitKernel<SimdKernels>,
                                 &jointKernel<SimdKernels>,
                                 &weighEvidence<SimdKernels>,
                                 &multiplyAddsKernel,
                                 &streamKernel};

}  // namespace sfm
