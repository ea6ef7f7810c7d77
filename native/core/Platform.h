// What the domain's inline mathematics needs to compile for the host, for each instruction set, and for a device.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define SFM_X86_64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define SFM_ARM64 1
#endif

// Internal linkage on purpose: the same header is compiled once per instruction set, and a shared (comdat) copy built
// with AVX-512 could otherwise be picked by the linker for code that runs on a plain machine.
#if defined(__CUDACC__)
#define SFM_HD __host__ __device__ static inline
#define SFM_CONSTANT_HD __host__ __device__ constexpr
#else
#define SFM_HD static inline
#define SFM_CONSTANT_HD constexpr
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define SFM_RESTRICT __restrict
#define SFM_ALWAYS_INLINE __forceinline
#define SFM_NEVER_INLINE __declspec(noinline)
#else
#define SFM_RESTRICT __restrict__
#define SFM_ALWAYS_INLINE inline __attribute__((always_inline))
#define SFM_NEVER_INLINE __attribute__((noinline))
#endif

// Before a loop of rounds that have nothing to do with each other.
#if defined(__GNUC__) && !defined(__clang__)
#define SFM_INDEPENDENT _Pragma("GCC ivdep")
#else
#define SFM_INDEPENDENT
#endif

// Before a loop of at most 16 rounds over what is to stay in registers, each round of its own code.
#if defined(__clang__)
#define SFM_UNROLLED _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define SFM_UNROLLED _Pragma("GCC unroll 16")
#else
#define SFM_UNROLLED
#endif
