#include "cpu/simd/Portable.h"
// The vectors come first: everything below is compiled for them.
#include "test/kernels/MakeTilesTable.h"

namespace sfm::test {

const TilesTable kPortableTiles = makeTilesTable("portable", &hasPortable);

}  // namespace sfm::test
