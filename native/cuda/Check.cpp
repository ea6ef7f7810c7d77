#include "cuda/Check.h"

#include <string>

#include "core/Error.h"

namespace sfm::cuda {

namespace {

ErrorCode codeOf(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
      return ErrorCode::OUT_OF_MEMORY;
    // Not to be had:
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
    case cudaErrorDeviceNotLicensed:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsRpcFailure:
    case cudaErrorMpsServerNotReady:
    case cudaErrorMpsMaxClientsReached:
    case cudaErrorMpsMaxConnectionsReached:
    // Lost: these stay with the process.
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
      return ErrorCode::DEVICE_UNAVAILABLE;
    default:
      return ErrorCode::INTERNAL;
  }
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  // Takes back what a call that failed has left for the next: only what is lost stays.
  cudaGetLastError();
  const std::string reason = std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
  throw Error(codeOf(status), std::string("CUDA: ") + what + ": " + reason);
}

void checkLaunch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace sfm::cuda
