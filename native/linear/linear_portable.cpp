#include "linear/simd/Portable.h"
// The vectors come first: everything below is compiled for them.
#include "linear/kernels/Table.h"

namespace sfm::linear {

const LinearKernels kPortableLinearKernels = makeTable("portable", &hasPortable);

}  // namespace sfm::linear
