#include "linear/simd/Neon.h"
// The vectors come first: everything below is compiled for them.
#include "linear/kernels/Table.h"

namespace sfm::linear {

const LinearKernels kNeonLinearKernels = makeTable("neon", &hasNeon);

}  // namespace sfm::linear
