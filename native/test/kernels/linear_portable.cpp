#include "cpu/simd/Portable.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeLinearTable.h"

namespace sfm::test {

const LinearTable kPortableLinear = makeLinearTable("portable", &hasPortable);

}  // namespace sfm::test
