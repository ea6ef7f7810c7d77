#include "linear/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "linear/kernels/Table.h"

namespace sfm::linear {

const LinearKernels kAvx512LinearKernels = makeTable("avx512", &hasAvx512);

}  // namespace sfm::linear
