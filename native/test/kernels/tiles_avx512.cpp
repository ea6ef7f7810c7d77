#include "cpu/simd/Avx512.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeTilesTable.h"

namespace sfm::test {

const TilesTable kAvx512Tiles = makeTilesTable("avx512", &hasAvx512);

}  // namespace sfm::test
