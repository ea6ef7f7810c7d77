// Fills in a LinearTable from the Vec that the including translation unit has chosen.
#pragma once

#include "cpu/BoxQuadratic.h"
#include "cpu/CpuFeatures.h"
#include "cpu/kernels/Linear.h"
#include "test/kernels/LinearTable.h"

namespace sfm::test {
namespace {

constexpr LinearTable makeLinearTable(const char* name, bool (*supported)()) {
  using K = SimdKernels;
  return {name,     supported,  &K::rowDots, &K::combine,  &K::addCombination, &K::addScaled, &K::dotProduct,
          &K::gram, &K::factor, &K::forward, &K::backward, &K::inverseTrace,   &solveBox<K>};
}

}  // namespace
}  // namespace sfm::test
