#include "cpu/simd/Neon.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

const CpuKernels kNeonKernels = {"neon",
                                 &hasNeon,
                                 &decodeKernel,
                                 &decodeMirroredKernel,
                                 &fitKernel<SimdKernels>,
                                 &jointKernel<SimdKernels>,
                                 &weighEvidence<SimdKernels>,
                                 &multiplyAddsKernel,
                                 &streamKernel};

}  // namespace sfm
