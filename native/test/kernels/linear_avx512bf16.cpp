#include "cpu/simd/Bf16Pairs.h"
// The vectors come first: everything below is compiled for them.
#include "cpu/kernels/RoughLinear.h"
#include "test/kernels/MakeLinearTable.h"

namespace sfm::test {

const LinearTable kAvx512Bf16Linear = [] {
  LinearTable table = makeLinearTable("avx512bf16", &hasAvx512Bf16);
  table.packRows = &RoughKernels::packRows;
  table.roughGram = &RoughKernels::roughGram;
  return table;
}();

}  // namespace sfm::test
