// The names of CUDA C++ that the kernels use, for a host compiler. Include it before a kernel's header.
#pragma once

#include <math.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "test/shim/Grid.h"
#include "test/shim/Matrices.h"

#define SFM_CUDA_SHIM 1

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(bytes) alignas(bytes)
// Dynamic shared memory: on a device `extern __shared__`, see cuda/Device.cuh.
#define SFM_DYNAMIC_SHARED(name) unsigned char* const name = static_cast<unsigned char*>(::sfm::shim::dynamicShared())

using dim3 = sfm::shim::Extent;
using std::max;
using std::min;

// References, so that a kernel cannot assign to them.
static const sfm::shim::Index& threadIdx = sfm::shim::threadIndex;
static const sfm::shim::Index& blockIdx = sfm::shim::blockIndex;
static const sfm::shim::Extent& blockDim = sfm::shim::blockExtent;
static const sfm::shim::Extent& gridDim = sfm::shim::gridExtent;
constexpr int warpSize = 32;

struct alignas(8) float2 {
  float x, y;
};
struct float3 {
  float x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

// --- Barriers and votes -------------------------------------------------------------------------------------------------

#define SFM_HERE std::source_location where = std::source_location::current()

inline void __syncthreads(SFM_HERE) { sfm::shim::barrier(sfm::shim::Vote::kNone, false, where); }
inline int __syncthreads_count(int predicate, SFM_HERE) {
  return sfm::shim::barrier(sfm::shim::Vote::kCount, predicate != 0, where);
}
inline int __syncthreads_and(int predicate, SFM_HERE) {
  return sfm::shim::barrier(sfm::shim::Vote::kAll, predicate != 0, where);
}
inline int __syncthreads_or(int predicate, SFM_HERE) {
  return sfm::shim::barrier(sfm::shim::Vote::kAny, predicate != 0, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SFM_HERE) {
  const auto combine = [](const sfm::shim::LaneData* in, uint32_t given, sfm::shim::LaneData* out) {
    unsigned votes = 0;
    for (unsigned i = 0; i < 32; ++i)
      if ((given >> i & 1) && sfm::shim::valueOf<int>(in[i]) != 0) votes |= 1u << i;
    for (unsigned i = 0; i < 32; ++i) out[i] = sfm::shim::laneData(votes);
  };
  return sfm::shim::collect<unsigned>(mask, predicate, combine, where);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, SFM_HERE) { __ballot_sync(mask, 0, where); }
inline int __any_sync(unsigned mask, int predicate, SFM_HERE) { return __ballot_sync(mask, predicate, where) != 0; }
inline int __all_sync(unsigned mask, int predicate, SFM_HERE) { return __ballot_sync(mask, !predicate, where) == 0; }

// --- Shuffles -----------------------------------------------------------------------------------------------------------

namespace sfm::shim {

template <class T>
struct Offered {
  T value;
  unsigned source;  // the lane whose value this one takes
};

template <class T>
T shuffle(unsigned mask, T value, unsigned source, std::source_location where) {
  const auto combine = [](const LaneData* in, uint32_t given, LaneData* out) {
    for (unsigned i = 0; i < 32; ++i) {
      if (!(given >> i & 1)) continue;
      const unsigned from = valueOf<Offered<T>>(in[i]).source;
      if (!(given >> from & 1)) throw Fault("a shuffle from a lane that takes no part in it");
      out[i] = laneData(valueOf<Offered<T>>(in[from]).value);
    }
  };
  return collect<T>(mask, Offered<T>{value, source}, combine, where);
}

// The lane within its segment, and beyond the segment's end its own.
inline unsigned within(int source, int width) {
  const int own = static_cast<int>(lane()), first = own / width * width;
  return static_cast<unsigned>(source < first || source >= first + width ? own : source);
}

}  // namespace sfm::shim

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SFM_HERE) {
  const int own = static_cast<int>(sfm::shim::lane());
  return sfm::shim::shuffle(mask, value, static_cast<unsigned>(own / width * width + (source & (width - 1))), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SFM_HERE) {
  const int source = static_cast<int>(sfm::shim::lane()) - static_cast<int>(delta);
  return sfm::shim::shuffle(mask, value, sfm::shim::within(source, width), where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SFM_HERE) {
  const int source = static_cast<int>(sfm::shim::lane() + delta);
  return sfm::shim::shuffle(mask, value, sfm::shim::within(source, width), where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, SFM_HERE) {
  const int own = static_cast<int>(sfm::shim::lane()), source = own ^ bits;
  // As documented: an earlier segment may be read, a later one may not.
  const bool beyond = source >= own / width * width + width;
  return sfm::shim::shuffle(mask, value, static_cast<unsigned>(beyond ? own : source), where);
}

// --- Memory -------------------------------------------------------------------------------------------------------------

inline void __threadfence() {}
inline void __threadfence_block() {}
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T __ldcs(const T* at) {
  return *at;
}
template <class T>
void __stcs(T* at, T value) {
  *at = value;
}

template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}
template <class T>
T atomicMax(T* at, T value) {
  const T before = *at;
  if (value > before) *at = value;
  return before;
}
template <class T>
T atomicMin(T* at, T value) {
  const T before = *at;
  if (value < before) *at = value;
  return before;
}
template <class T>
T atomicExch(T* at, T value) {
  const T before = *at;
  *at = value;
  return before;
}
template <class T>
T atomicOr(T* at, T value) {
  const T before = *at;
  *at = before | value;
  return before;
}
template <class T>
T atomicAnd(T* at, T value) {
  const T before = *at;
  *at = before & value;
  return before;
}
template <class T>
T atomicCAS(T* at, T compare, T value) {
  const T before = *at;
  if (before == compare) *at = value;
  return before;
}

// --- Arithmetic ---------------------------------------------------------------------------------------------------------

inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }

#undef SFM_HERE
