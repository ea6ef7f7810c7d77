// Until the kernel is there: every fit is the CPU's.
#include "core/Error.h"
#include "cuda/FitKernel.h"

namespace sfm::cuda {

bool supportsFit(const DeviceFitModel&, const FitOptions&, ObservationSpace, int) { return false; }
size_t fitWorkspaceBytes(const DeviceFitModel&, const FitOptions&, int, int) { return 0; }
void launchFit(const DeviceFitModel&, const DeviceFitBatch&, void*, cudaStream_t) {
  throw Error(ErrorCode::INTERNAL, "no fit kernel");
}

}  // namespace sfm::cuda
