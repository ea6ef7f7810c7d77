// What kernels use beyond plain CUDA C++, each with a meaning in plain C++ for the tests (test/shim/Cuda.h).
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/Half.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#elif !defined(SFM_CUDA_SHIM)
#error "without a CUDA compiler, include test/shim/Cuda.h first"
#endif

namespace sfm::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;

#if defined(__CUDACC__)

// Dynamic shared memory as bytes, aligned for any use.
#define SFM_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]

// This thread's place in a block of one dimension. Asked for anew each time: kept from one step of a long kernel to the
// next, it and what is derived from it cost registers that the step in between has none to spare of.
__device__ __forceinline__ int threadNumber() {
  int number;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(number));
  return number;
}

// --- Asynchronous copies from global to shared memory (sm_80; before, plain ones) -------------------------------------

// 16 bytes, both ends aligned to that.
__device__ __forceinline__ void copyAsync16(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(to), "l"(global) : "memory");
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
#endif
}

// Ends a group of copies.
__device__ __forceinline__ void commitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

// Waits until at most `kOpen` of this thread's groups are under way; other threads see the copies after a barrier.
template <int kOpen>
__device__ __forceinline__ void waitForCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kOpen) : "memory");
#endif
}

// --- Tensor cores -----------------------------------------------------------------------------------------------------

// d[16,8] += a[16,16] b[16,8] in 16-bit floats with sums in single precision (sm_80). With g = lane / 4, t = lane % 4:
//   a[0], a[1], a[2], a[3]: rows g, g + 8, g, g + 8; columns 2t, 2t + 1, and for the last two 8 more
//   b[0], b[1]: rows 2t, 2t + 1, and 8 more; column g
//   d[0], d[1]: row g, columns 2t, 2t + 1; d[2], d[3]: row g + 8
// Of two halves in a register, the lower holds the smaller index.
__device__ __forceinline__ void multiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%7,%8}, {%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b[0]), "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

// --- 16-bit floats ------------------------------------------------------------------------------------------------------

__device__ __forceinline__ float floatOfHalf(uint16_t half) { return __half2float(__ushort_as_half(half)); }
// Rounded to nearest, ties to even.
__device__ __forceinline__ uint16_t halfOfFloat(float value) { return __half_as_ushort(__float2half_rn(value)); }

#else

inline int threadNumber() { return static_cast<int>(threadIdx.x); }

inline void copyAsync16(void* shared, const void* global) {
  sfm::shim::putOff([shared, global] { memcpy(shared, global, 16); });
}
inline void commitCopies() { sfm::shim::closeGroup(); }
template <int kOpen>
void waitForCopies() {
  sfm::shim::settle(kOpen);
}

inline float floatOfHalf(uint16_t half) { return halfToFloat(half); }
inline uint16_t halfOfFloat(float value) { return sfm::shim::roundToHalf(value); }

inline void multiplyAdd16x8x16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               std::source_location where = std::source_location::current()) {
  sfm::shim::multiplyAdd16x8x16(d, a, b, where);
}

#endif

// For all lanes of a warp alike, in the same order each time.
template <class T>
__device__ __forceinline__ T sumOverWarp(T value) {
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(kAllLanes, value, bits);
  return value;
}

}  // namespace sfm::cuda
