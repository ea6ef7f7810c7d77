// What the threads of a pool could do at most, all at once: what benchmarks hold their figures against.
#pragma once

#include <memory>

#include "core/Backend.h"
#include "cpu/CpuKernels.h"
#include "cpu/ThreadPool.h"

namespace sfm {

struct MachineLimits {
  double flops = 0;        // in single precision, a second
  double storedBytes = 0;  // past the caches, a second
};

// Takes a fifth of a second. `limits` is complete when `done` is called.
void measureLimits(ThreadPool& pool, const CpuKernels& kernels, std::shared_ptr<MachineLimits> limits,
                   std::shared_ptr<const Cancellation> cancellation, Completion done);

}  // namespace sfm
