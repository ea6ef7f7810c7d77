// What the linear algebra computes with. Results do not depend on it.
#pragma once

#include "linear/LinearKernels.h"
#include "linear/Parallel.h"

namespace sfm::linear {

struct Engine {
  const LinearKernels& kernels;
  Parallel parallel;
};

}  // namespace sfm::linear
