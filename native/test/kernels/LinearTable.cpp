#include "test/kernels/LinearTable.h"

#include <cstdio>

namespace sfm::test {

std::vector<const LinearTable*> supportedLinearTables() {
  std::vector<const LinearTable*> tables;
  for (const LinearTable* table : {
#if defined(SFM_X86_64)
           &kAvx512Bf16Linear, &kAvx512Linear, &kAvx2Linear,
#elif defined(SFM_ARM64)
           &kNeonLinear,
#endif
           &kPortableLinear}) {
    if (table->supported())
      tables.push_back(table);
    else
      std::printf("    skipped: this processor lacks %s\n", table->name);
  }
  return tables;
}

}  // namespace sfm::test
