#include "cpu/simd/Portable.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Table.h"

namespace sfm {

constinit const CpuKernels kPortableKernels = tableOf<SimdKernels>("portable", &hasPortable);

}  // namespace sfm
