#include "cpu/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeLinearTable.h"

namespace sfm::test {

const LinearTable kAvx512Linear = makeLinearTable("avx512", &hasAvx512);

}  // namespace sfm::test
