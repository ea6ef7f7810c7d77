// Streams are queues of work that is done as late as it may be: when somebody waits for it, streams taking turns as a
// seed decides. Whoever reads a result without having waited finds what was there before.
#include "test/shim/FakeRuntime.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <utility>
#include <vector>

struct CUevent_st {
  int device = 0;
  long long recorded = 0;  // how often it has been asked for
  long long passed = 0;    // how often a stream has come by
};

namespace {

using sfm::shim::FakeDevice;

struct Work {
  std::function<cudaError_t()> run;
  // Of an event: what must have passed before.
  cudaEvent_t event = nullptr;
  long long awaited = 0;
};

}  // namespace

struct CUstream_st {
  int device = 0;
  std::deque<Work> work;
  bool capturing = false;
  std::vector<Work> captured;
};

struct CUgraph_st {
  std::vector<Work> work;
};

struct CUgraphExec_st {
  std::vector<Work> work;
};

namespace {

constexpr size_t kAlignment = 256;

struct Device {
  FakeDevice properties;
  size_t used = 0;
  int launches = 0, appended = 0;
  int launchesLeft = -1;  // until it is lost; -1: never
  cudaError_t loss = cudaErrorLaunchFailure;  // with which it will be
  cudaError_t lost = cudaSuccess;
};

struct Piece {
  size_t bytes;
  int device;  // -1: pinned
};

struct Machine {
  std::recursive_mutex mutex;
  std::condition_variable_any released;
  bool held = false;
  std::mt19937_64 random{1};
  std::vector<Device> devices;
  cudaError_t count = cudaErrorNoDevice;
  std::map<void*, Piece> pieces;
  std::vector<cudaStream_t> streams;
  int events = 0, graphs = 0, graphLaunches = 0;
  int allocationsLeft = -1, allocationFailures = 0;
  size_t pinned = 0;
};

Machine& machine() {
  static Machine instance;
  return instance;
}

using Lock = std::lock_guard<std::recursive_mutex>;

thread_local int currentDevice = 0;
thread_local cudaError_t lastError = cudaSuccess;

cudaError_t fail(cudaError_t error) {
  if (error != cudaSuccess) lastError = error;
  return error;
}

Device* current() {
  Machine& m = machine();
  return static_cast<size_t>(currentDevice) < m.devices.size() ? &m.devices[static_cast<size_t>(currentDevice)]
                                                               : nullptr;
}

// Success, unless there is no device, or it is lost.
cudaError_t state() {
  if (machine().count != cudaSuccess) return machine().count;
  const Device* device = current();
  return device ? device->lost : cudaErrorInvalidDevice;
}

cudaError_t stateOf(int device) { return machine().devices[static_cast<size_t>(device)].lost; }

bool isReady(const CUstream_st& stream) {
  return !stream.work.empty() &&
         !(stream.work.front().event && stream.work.front().event->passed < stream.work.front().awaited);
}

// Does a piece of work of any stream that can; false where there is none.
bool progress() {
  Machine& m = machine();
  std::vector<cudaStream_t> ready;
  for (const cudaStream_t stream : m.streams)
    if (isReady(*stream)) ready.push_back(stream);
  if (ready.empty()) return false;
  CUstream_st& stream = *ready[m.random() % ready.size()];
  const Work work = std::move(stream.work.front());
  stream.work.pop_front();
  Device& device = m.devices[static_cast<size_t>(stream.device)];
  if (work.run) {
    const cudaError_t error = device.lost == cudaSuccess ? work.run() : device.lost;
    if (error != cudaSuccess && device.lost == cudaSuccess) device.lost = error;
  }
  return true;
}

cudaError_t drain(cudaStream_t stream) {
  while (!stream->work.empty())
    if (!progress()) return cudaErrorLaunchTimeout;  // waits for an event that nobody will record
  return stateOf(stream->device);
}

cudaError_t add(cudaStream_t stream, Work work) {
  if (!stream) return fail(cudaErrorInvalidValue);  // the backend uses streams of its own
  if (stateOf(stream->device) != cudaSuccess) return fail(stateOf(stream->device));
  if (stream->capturing)
    stream->captured.push_back(std::move(work));
  else
    stream->work.push_back(std::move(work));
  return cudaSuccess;
}

cudaError_t allocate(void** data, size_t bytes, int device) {
  Machine& m = machine();
  const bool fails = m.allocationsLeft == 0 && m.allocationFailures > 0;
  if (fails) --m.allocationFailures;
  if (m.allocationsLeft > 0) --m.allocationsLeft;
  if (fails) return fail(cudaErrorMemoryAllocation);
  if (device >= 0) {
    Device& d = m.devices[static_cast<size_t>(device)];
    if (d.used + bytes > d.properties.memory) return fail(cudaErrorMemoryAllocation);
    d.used += bytes;
  } else {
    m.pinned += bytes;
  }
  // Room on both sides that a sanitizer watches, and NaNs for those who read before they write.
  *data = ::operator new(bytes, std::align_val_t(kAlignment));
  std::memset(*data, 0xff, bytes);
  m.pieces[*data] = {bytes, device};
  return cudaSuccess;
}

cudaError_t release(void* data) {
  if (!data) return cudaSuccess;
  Machine& m = machine();
  const auto found = m.pieces.find(data);
  if (found == m.pieces.end()) return fail(cudaErrorInvalidValue);
  const Piece piece = found->second;
  // Freeing waits for all that is under way.
  while (progress()) {
  }
  if (piece.device >= 0)
    m.devices[static_cast<size_t>(piece.device)].used -= piece.bytes;
  else
    m.pinned -= piece.bytes;
  m.pieces.erase(found);
  ::operator delete(data, std::align_val_t(kAlignment));
  return cudaSuccess;
}

}  // namespace

namespace sfm::shim {

int makeDevices(const std::vector<FakeDevice>& devices, uint64_t seed) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  const int left = static_cast<int>(m.pieces.size() + m.streams.size()) + m.events + m.graphs;
  m.random.seed(seed);
  m.devices.clear();
  for (const FakeDevice& each : devices) {
    Device device;
    device.properties = each;
    m.devices.push_back(device);
  }
  m.count = devices.empty() ? cudaErrorNoDevice : cudaSuccess;
  m.graphLaunches = 0;
  m.allocationsLeft = -1;
  m.allocationFailures = 0;
  currentDevice = 0;
  lastError = cudaSuccess;
  return left;
}

void failToCount(cudaError_t error) { machine().count = error; }

void loseDevice(int device, int launches, cudaError_t error) {
  const Lock lock(machine().mutex);
  machine().devices[static_cast<size_t>(device)].launchesLeft = launches;
  machine().devices[static_cast<size_t>(device)].loss = error;
}

void failToAllocate(int allocations, int times) {
  const Lock lock(machine().mutex);
  machine().allocationsLeft = allocations;
  machine().allocationFailures = times;
}

void holdEvents(bool held) {
  {
    const Lock lock(machine().mutex);
    machine().held = held;
  }
  machine().released.notify_all();
}

size_t bytesInUse(int device) {
  const Lock lock(machine().mutex);
  return machine().devices[static_cast<size_t>(device)].used;
}

size_t bytesPinned() {
  const Lock lock(machine().mutex);
  return machine().pinned;
}

int launchesOf(int device) {
  const Lock lock(machine().mutex);
  return machine().devices[static_cast<size_t>(device)].launches;
}

int graphLaunches() {
  const Lock lock(machine().mutex);
  return machine().graphLaunches;
}

cudaError_t allowShared(size_t bytes) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  return bytes <= current()->properties.sharedBytes ? cudaSuccess : fail(cudaErrorInvalidValue);
}

int appendedTo(int device) {
  const Lock lock(machine().mutex);
  return machine().devices[static_cast<size_t>(device)].appended;
}

bool hasCode() {
  const Lock lock(machine().mutex);
  return current() && current()->properties.hasCode;
}

cudaError_t append(cudaStream_t stream, Extent grid, Extent block, size_t sharedBytes, std::function<void()> thread) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (!stream) return fail(cudaErrorInvalidValue);
  const int device = stream->device;
  if (!m.devices[static_cast<size_t>(device)].properties.hasCode) return fail(cudaErrorNoKernelImageForDevice);
  if (grid.count() == 0 || block.count() == 0 || block.count() > 1024 || grid.y > 65535 || grid.z > 65535 ||
      sharedBytes > m.devices[static_cast<size_t>(device)].properties.sharedBytes)
    return fail(cudaErrorInvalidConfiguration);
  ++m.devices[static_cast<size_t>(device)].appended;
  return add(stream, {[=]() -> cudaError_t {
                        Device& d = machine().devices[static_cast<size_t>(device)];
                        if (d.launchesLeft >= 0 && d.launchesLeft-- == 0) return d.loss;
                        ++d.launches;
                        try {
                          run({grid, block, sharedBytes, machine().random() | 1}, thread);
                        } catch (const Fault& fault) {
                          // On a device this is undefined; here it must not go unnoticed.
                          std::fprintf(stderr, "a kernel's fault: %s\n", fault.what());
                          std::abort();
                        }
                        return cudaSuccess;
                      },
                      nullptr, 0});
}

}  // namespace sfm::shim

// --- The runtime's functions ----------------------------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count) {
  const Lock lock(machine().mutex);
  *count = 0;
  if (machine().count != cudaSuccess) return fail(machine().count);
  *count = static_cast<int>(machine().devices.size());
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Lock lock(machine().mutex);
  if (static_cast<size_t>(device) >= machine().devices.size()) return fail(cudaErrorInvalidDevice);
  const FakeDevice& fake = machine().devices[static_cast<size_t>(device)].properties;
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "Fake %d", device);
  properties->totalGlobalMem = fake.memory;
  properties->sharedMemPerBlockOptin = fake.sharedBytes;
  properties->major = fake.major;
  properties->minor = fake.minor;
  properties->multiProcessorCount = fake.multiprocessors;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  const cudaError_t status = cudaGetDeviceProperties(&properties, device);
  if (status != cudaSuccess) return status;
  *value = attribute == cudaDevAttrMultiProcessorCount ? properties.multiProcessorCount
                                                       : static_cast<int>(properties.sharedMemPerBlockOptin);
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = currentDevice;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const Lock lock(machine().mutex);
  if (static_cast<size_t>(device) >= machine().devices.size()) return fail(cudaErrorInvalidDevice);
  currentDevice = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  const Lock lock(machine().mutex);
  while (progress()) {
  }
  return fail(state());
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = lastError;
  lastError = cudaSuccess;
  return error;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    default:
      return "an error of the fake device";
  }
}

const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "cudaError";
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  *total = current()->properties.memory;
  *free = *total - current()->used;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  return allocate(data, bytes, currentDevice);
}

cudaError_t cudaFree(void* data) {
  const Lock lock(machine().mutex);
  return release(data);
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  return allocate(data, bytes, -1);
}

cudaError_t cudaFreeHost(void* data) {
  const Lock lock(machine().mutex);
  return release(data);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return add(stream, {[=] {
                        std::memcpy(to, from, bytes);
                        return cudaSuccess;
                      },
                      nullptr, 0});
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return add(stream, {[=] {
                        std::memset(to, value, bytes);
                        return cudaSuccess;
                      },
                      nullptr, 0});
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  *stream = new CUstream_st;
  (*stream)->device = currentDevice;
  machine().streams.push_back(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  drain(stream);
  auto& streams = machine().streams;
  streams.erase(std::find(streams.begin(), streams.end(), stream));
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return fail(drain(stream));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(machine().mutex);
  return add(stream, {nullptr, event, event->recorded});
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  *event = new CUevent_st;
  (*event)->device = currentDevice;
  ++machine().events;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  --machine().events;
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  const long long number = ++event->recorded;
  return add(stream, {[=] {
                        event->passed = std::max(event->passed, number);
                        return cudaSuccess;
                      },
                      nullptr, 0});
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::unique_lock<std::recursive_mutex> lock(machine().mutex);
  machine().released.wait(lock, [] { return !machine().held; });
  while (event->passed < event->recorded)
    if (!progress()) break;
  return fail(stateOf(event->device));
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  progress();
  if (stateOf(event->device) != cudaSuccess) return fail(stateOf(event->device));
  return event->passed < event->recorded ? cudaErrorNotReady : cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Lock lock(machine().mutex);
  stream->capturing = true;
  stream->captured.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(machine().mutex);
  stream->capturing = false;
  *graph = new CUgraph_st{std::move(stream->captured)};
  ++machine().graphs;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Lock lock(machine().mutex);
  if (state() != cudaSuccess) return fail(state());
  *executable = new CUgraphExec_st{graph->work};
  ++machine().graphs;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Lock lock(machine().mutex);
  --machine().graphs;
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Lock lock(machine().mutex);
  --machine().graphs;
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  ++machine().graphLaunches;
  for (const Work& work : executable->work)
    if (const cudaError_t error = add(stream, work); error != cudaSuccess) return error;
  return cudaSuccess;
}
