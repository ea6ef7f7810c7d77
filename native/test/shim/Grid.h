// A CUDA grid on one thread of the host: blocks one after the other, the threads of a block as fibers that take turns
// at barriers. Both orders are drawn from a seed, so that what depends on them shows.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>

namespace sfm::shim {

constexpr unsigned kWarp = 32;

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

struct Extent {
  constexpr Extent(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth) {}
  constexpr unsigned count() const { return x * y * z; }
  unsigned x, y, z;
};

// What a kernel did that a device need not survive: a barrier that not all threads reach, a value taken from a lane
// that gave none.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Launch {
  Extent grid, block;
  size_t sharedBytes = 0;  // dynamic
  uint64_t seed = 1;       // of the orders; 0: the natural ones
};

// Runs `thread` for every thread of the grid. Throws Fault, or what a thread throws.
void run(const Launch& launch, const std::function<void()>& thread);

// The kernel as it is launched elsewhere by kernel<<<grid, block, sharedBytes>>>(arguments...).
template <class... Parameters, class... Arguments>
void launch(const Launch& launch, void (*kernel)(Parameters...), Arguments... arguments) {
  run(launch, [&] { kernel(arguments...); });
}

// --- What the names of CUDA are made of (Cuda.h) ------------------------------------------------------------------------

// Of the thread that runs.
inline Index threadIndex, blockIndex;
inline Extent blockExtent, gridExtent;

void* dynamicShared();  // filled with NaNs before each block

enum class Vote { kNone, kCount, kAll, kAny };
// All threads of the block; returns what they voted.
int barrier(Vote vote, bool predicate, std::source_location where);

// All lanes of the mask at the same place. `combine` sees what they gave and sets what each takes; `given` tells who
// gave.
struct LaneData {
  alignas(16) unsigned char bytes[64];
};
using Combine = void (*)(const LaneData* in, uint32_t given, LaneData* out);
void gather(uint32_t mask, const LaneData& in, LaneData* out, Combine combine, std::source_location where);

unsigned lane();

// Asynchronous copies, which are made as late as they may be: when they are waited for. What is read before its time is
// then not there.
void putOff(std::function<void()> copy);
void closeGroup();
void settle(size_t openGroups);

template <class T>
LaneData laneData(const T& value) {
  static_assert(sizeof(T) <= sizeof(LaneData::bytes));
  LaneData data;
  std::memcpy(data.bytes, &value, sizeof value);
  return data;
}

template <class T>
T valueOf(const LaneData& data) {
  T value;
  std::memcpy(&value, data.bytes, sizeof value);
  return value;
}

template <class Out, class In>
Out collect(uint32_t mask, const In& in, Combine combine, std::source_location where) {
  LaneData out;
  gather(mask, laneData(in), &out, combine, where);
  return valueOf<Out>(out);
}

}  // namespace sfm::shim
