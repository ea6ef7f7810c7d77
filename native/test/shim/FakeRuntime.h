// Devices that tests make: how many, how large, and what goes wrong with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <cuda_runtime_api.h>

#include "test/shim/Grid.h"

namespace sfm::shim {

struct FakeDevice {
  int major = 9, minor = 0;
  size_t memory = size_t{1} << 30;  // bytes
  size_t sharedBytes = 227 * 1024;  // that a block may ask for
  int multiprocessors = 5;
  bool hasCode = true;
};

// The machine's devices from now on, with nothing in them; forgets all faults. What the ones before held must have been
// given back: returns how many pieces of memory, streams, events and graphs had not.
int makeDevices(const std::vector<FakeDevice>& devices, uint64_t seed = 1);

// What cudaGetDeviceCount says instead of a count.
void failToCount(cudaError_t error);
// After `launches` more launches of kernels on a device, it is lost: everything fails from then on.
void loseDevice(int device, int launches, cudaError_t error = cudaErrorLaunchFailure);
// After `allocations` more, taking memory fails, of the device or pinned.
void failToAllocate(int allocations, int times = 1);

// While held, whoever waits for an event waits, and nothing is done meanwhile.
void holdEvents(bool held);

size_t bytesInUse(int device);
size_t bytesPinned();
int launchesOf(int device);
int appendedTo(int device);  // launches that are done or under way
int graphLaunches();

// --- For cuda/Launch.cuh ------------------------------------------------------------------------------------------------

cudaError_t allowShared(size_t bytes);
bool hasCode();
cudaError_t append(cudaStream_t stream, Extent grid, Extent block, size_t sharedBytes, std::function<void()> thread);

}  // namespace sfm::shim
