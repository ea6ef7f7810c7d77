#include "linear/simd/Avx2.h"
// The vectors come first: everything below is compiled for them.
#include "linear/kernels/Table.h"

namespace sfm::linear {

const LinearKernels kAvx2LinearKernels = makeTable("avx2", &hasAvx2);

}  // namespace sfm::linear
