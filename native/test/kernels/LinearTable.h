// The linear algebra of one instruction set as a table of functions, so that tests compiled for the baseline can call
// it: the kernels themselves have internal linkage.
#pragma once

#include <vector>

#include "core/Platform.h"

namespace sfm::test {

struct LinearTable {
  const char* name;
  bool (*supported)();
  void (*rowDots)(const float* rows, int count, int stride, int n, const float* x, float* out);
  void (*combine)(float a, const float* x, float b, const float* y, float c, const float* z, int n, float* out);
  void (*addCombination)(float a, const float* x, float b, const float* y, float c, const float* z, int n, float* out);
  void (*addScaled)(float a, const float* x, int n, float* y);
  float (*dotProduct)(const float* a, const float* b, int n);
  void (*gram)(bool add, const float* j, int m, int n, int ld, float* h);
  bool (*factor)(float* h, int n, int eliminated, int ld);
  void (*forward)(const float* u, int n, int eliminated, int ld, float* b);
  void (*backward)(const float* u, int n, int rows, int ld, float* b);
  double (*inverseTrace)(const float* u, int first, int n, int ld, float* x);
  bool (*solveBox)(const float* s, int n, int ld, const float* b, const float* lower, const float* upper,
                   signed char* state, float* d, float* work, int* index, bool* factored);
  // Null where there are no products of 16-bit numbers.
  void (*packRows)(const float* row, int n, int ld, int k, int capacity, float* packed) = nullptr;
  void (*roughGram)(bool add, const float* packed, int pairs, int capacity, int n, int ld, float* h) = nullptr;
};

extern const LinearTable kPortableLinear;
#if defined(SFM_X86_64)
extern const LinearTable kAvx2Linear;
extern const LinearTable kAvx512Linear;
extern const LinearTable kAvx512Bf16Linear;
#elif defined(SFM_ARM64)
extern const LinearTable kNeonLinear;
#endif

// Those that this processor supports; says which of the compiled ones it lacks.
std::vector<const LinearTable*> supportedLinearTables();

}  // namespace sfm::test
