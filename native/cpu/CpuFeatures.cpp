#include "cpu/CpuFeatures.h"

#include <cstdint>

#include "core/Platform.h"

#if defined(SFM_X86_64)
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace sfm {

#if defined(SFM_X86_64)
namespace {

struct Registers {
  uint32_t a, b, c, d;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r = {0, 0, 0, 0};
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
       static_cast<uint32_t>(out[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
#endif
  return r;
}

// The register states that the operating system saves (XCR0).
uint64_t savedStates() {
  if (!(cpuid(1).c & (1u << 27))) return 0;  // OSXSAVE
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

// Linux keeps the eight kilobytes of tiles for those who ask: ARCH_REQ_XCOMP_PERM of XTILEDATA, for all threads of the
// process, once and for all.
bool mayUseTiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

}  // namespace

bool hasAvx2() {
  const Registers one = cpuid(1), seven = cpuid(7);
  const uint32_t fmaF16cAvx = (1u << 12) | (1u << 29) | (1u << 28);
  return all(one.c, fmaF16cAvx) && all(seven.b, 1u << 5) && (savedStates() & 0x6) == 0x6;
}

bool hasAvx512() {
  const uint32_t fDqBwVl = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);
  return hasAvx2() && all(cpuid(7).b, fDqBwVl) && (savedStates() & 0xe6) == 0xe6;
}

bool hasAvx512Bf16() { return hasAvx512() && all(cpuid(7, 1).a, 1u << 5); }

bool hasAmx() {
  constexpr uint32_t kBf16AndTiles = (1u << 22) | (1u << 24);
  constexpr uint64_t kTileStates = 0x60000;  // configuration and data
  static const bool has = hasAvx512Bf16() && all(cpuid(7).d, kBf16AndTiles) &&
                          (savedStates() & kTileStates) == kTileStates && mayUseTiles();
  return has;
}

bool hasNeon() { return false; }
#else
bool hasAvx2() { return false; }
bool hasAvx512() { return false; }
bool hasAvx512Bf16() { return false; }
bool hasAmx() { return false; }
#if defined(SFM_ARM64)
bool hasNeon() { return true; }
#else
bool hasNeon() { return false; }
#endif
#endif

bool hasPortable() { return true; }

}  // namespace sfm
