#include "cuda/Check.h"

#include <string>

#include "core/Error.h"

namespace sfm::cuda {

namespace {

ErrorCode codeOf(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
      return ErrorCode::OUT_OF_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorDeviceUninitialized:
    case cudaErrorInitializationError:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorOperatingSystem:
    case cudaErrorStubLibrary:
    case cudaErrorECCUncorrectable:
    case cudaErrorUnknown:
      return ErrorCode::DEVICE_UNAVAILABLE;
    default:
      return isFatal(status) ? ErrorCode::DEVICE_UNAVAILABLE : ErrorCode::INTERNAL;
  }
}

}  // namespace

bool isFatal(cudaError_t status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
    case cudaErrorExternalDevice:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  // Takes back what a call that failed has left for the next: only what is fatal stays.
  cudaGetLastError();
  throw Error(codeOf(status),
              std::string("CUDA: ") + what + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")");
}

void checkLaunch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace sfm::cuda
