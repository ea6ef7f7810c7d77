#include "cpu/simd/Neon.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeLinearTable.h"

namespace sfm::test {

const LinearTable kNeonLinear = makeLinearTable("neon", &hasNeon);

}  // namespace sfm::test
