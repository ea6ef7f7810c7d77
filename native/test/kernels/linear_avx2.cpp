#include "cpu/simd/Avx2.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeLinearTable.h"

namespace sfm::test {

const LinearTable kAvx2Linear = makeLinearTable("avx2", &hasAvx2);

}  // namespace sfm::test
