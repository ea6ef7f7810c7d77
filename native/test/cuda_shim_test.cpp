// The shim that the kernels are tested through: what it computes, and that it sees what a kernel must not do.
#include "test/shim/Cuda.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cuda/Device.cuh"
#include "test/Check.h"
#include "test/Random.h"

using namespace sfm;
using namespace sfm::test;

namespace {

// Sums of blocks, by a tree in shared memory and by shuffles.
__global__ void sums(const float* values, int count, float* bySharing, float* byShuffling, int* arrivals) {
  __shared__ float partial[128];
  SFM_DYNAMIC_SHARED(dynamic);
  float* warps = reinterpret_cast<float*>(dynamic);
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), t = static_cast<int>(threadIdx.x);
  float value = i < count ? values[i] : 0;
  partial[t] = value;
  __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(cuda::kAllLanes, value, bits);
  if (t % 32 == 0) warps[t / 32] = value;
  __syncthreads();
  if (t > 0) return;
  bySharing[blockIdx.x] = partial[0];
  byShuffling[blockIdx.x] = warps[0] + warps[1] + warps[2] + warps[3];
  arrivals[blockIdx.x] = atomicAdd(&arrivals[gridDim.x], 1);
}

__global__ void withoutBarrier(int* out) {
  __shared__ int value[64];
  value[threadIdx.x] = static_cast<int>(threadIdx.x);
  // Missing here: a barrier.
  out[threadIdx.x] = value[63 - threadIdx.x];
  value[threadIdx.x] = -1;
}

__global__ void leavesEarly() {
  if (threadIdx.x == 5) return;
  __syncthreads();
}

__global__ void parts() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void halfAWarp() {
  if (threadIdx.x < 16) __shfl_sync(cuda::kAllLanes, 1, 0);
}

__global__ void fromNobody() {
  if (threadIdx.x < 16) __shfl_sync(0xffffu, 1, 20);
}

__global__ void votes(int* out) {
  const int t = static_cast<int>(threadIdx.x);
  if (t < 24)  // the lanes of a part of a warp
    out[t] = static_cast<int>(__ballot_sync(0xffffffu, t % 3 == 0));
  const int all = __syncthreads_and(t < 64), any = __syncthreads_or(t == 40), count = __syncthreads_count(t % 2);
  if (t >= 24) out[t] = 100 * all + 50 * any + count;
}

__global__ void copies(const float* from, float* to, bool waits) {
  SFM_DYNAMIC_SHARED(dynamic);
  float* stage = reinterpret_cast<float*>(dynamic);
  const unsigned t = threadIdx.x;
  for (unsigned group = 0; group < 2; ++group) {
    cuda::copyAsync16(stage + 4 * (32 * group + t), from + 4 * (32 * group + t));
    cuda::commitCopies();
  }
  if (waits) cuda::waitForCopies<1>();
  __syncthreads();
  to[t] = stage[t];
  __syncthreads();
  cuda::waitForCopies<0>();
  __syncthreads();
  to[32 + t] = stage[128 + t];
}

std::string faultOf(const shim::Launch& launch, const std::function<void()>& body) {
  try {
    shim::run(launch, body);
  } catch (const shim::Fault& fault) {
    return fault.what();
  }
  return "";
}

}  // namespace

CASE(a_grid_computes_what_a_device_would) {
  Random random(3);
  std::vector<float> values(1000);
  for (float& value : values) value = static_cast<float>(random.below(1000));
  for (const uint64_t seed : {0, 1, 2, 3}) {
    std::vector<float> bySharing(8), byShuffling(8);
    std::vector<int> arrivals(9);
    shim::launch({8, 128, 16, seed}, sums, values.data(), 1000, bySharing.data(), byShuffling.data(), arrivals.data());
    for (size_t block = 0; block < 8; ++block) {
      float expected = 0;
      for (size_t i = 128 * block; i < std::min<size_t>(1000, 128 * block + 128); ++i) expected += values[i];
      CHECK_EQUAL(bySharing[block], expected);
      CHECK_EQUAL(byShuffling[block], expected);
    }
    const bool natural = std::is_sorted(arrivals.begin(), arrivals.end());
    CHECK_EQUAL(natural, seed == 0);
  }
}

CASE(a_missing_barrier_shows) {
  std::vector<int> out(64);
  shim::launch({1, 64}, withoutBarrier, out.data());
  bool same = true;
  for (int i = 0; i < 64; ++i) same &= out[static_cast<size_t>(i)] == 63 - i;
  CHECK(!same);
}

CASE(divergent_barriers_are_faults) {
  CHECK(faultOf({1, 64}, leavesEarly).find("thread 5 has ended") != std::string::npos);
  CHECK(faultOf({1, 64}, parts).find("different places") != std::string::npos);
  CHECK(faultOf({1, 32}, halfAWarp).find("in vain") != std::string::npos);
  CHECK(faultOf({1, 32}, fromNobody).find("takes no part") != std::string::npos);
  // And leave the shim as it was.
  std::vector<int> out(64);
  shim::launch({1, 64}, votes, out.data());
  for (size_t i = 0; i < 64; ++i) CHECK_EQUAL(out[i], i < 24 ? 0x249249 : 182);
}

CASE(asynchronous_copies_come_when_they_are_waited_for) {
  std::vector<float> from(256), to(64);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  for (const bool waits : {false, true}) {
    shim::launch({1, 32, 1024}, copies, from.data(), to.data(), waits);
    for (size_t i = 0; i < 32; ++i) {
      CHECK_EQUAL(std::isnan(to[i]), !waits);
      if (waits) CHECK_EQUAL(to[i], from[i]);
      CHECK_EQUAL(to[32 + i], from[128 + i]);
    }
  }
}

CASE(halves_round_to_nearest) {
  for (uint32_t half = 0; half < 0x7c00; ++half) {
    const float value = halfToFloat(static_cast<uint16_t>(half)), next = halfToFloat(static_cast<uint16_t>(half + 1));
    CHECK_EQUAL(shim::roundToHalf(value), half);
    CHECK_EQUAL(shim::roundToHalf(-value), half | 0x8000);
    if (half + 1 == 0x7c00) break;
    const float middle = value / 2 + next / 2;
    CHECK_EQUAL(shim::roundToHalf(middle), half + (half & 1));
    CHECK_EQUAL(shim::roundToHalf(std::nextafter(middle, 0.0f)), half);
    CHECK_EQUAL(shim::roundToHalf(std::nextafter(middle, 1e9f)), half + 1);
  }
  CHECK_EQUAL(shim::roundToHalf(65504.0f), 0x7bff);
  CHECK_EQUAL(shim::roundToHalf(1e-9f), 0);
  CHECK_EQUAL(shim::roundToHalf(1e9f), 0x7c00);
}

// A product by fragments that are filled as the manual says.
CASE(the_matrix_instruction_multiplies) {
  Random random(5);
  uint16_t a[16][16], bT[8][16];
  float af[16][16], bf[16][8];
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k) {
      a[i][k] = shim::roundToHalf(af[i][k] = static_cast<float>(random.below(64) - 32));
      if (i < 8) bT[i][k] = shim::roundToHalf(bf[k][i] = static_cast<float>(random.below(64) - 32));
    }
  float d[16][8] = {};
  shim::run({1, 32}, [&] {
    const unsigned l = threadIdx.x, g = l / 4, t = l % 4;
    const auto pair = [](const uint16_t* at) {
      return static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 16;
    };
    const uint32_t fa[4] = {pair(&a[g][2 * t]), pair(&a[g + 8][2 * t]), pair(&a[g][2 * t + 8]),
                            pair(&a[g + 8][2 * t + 8])};
    const uint32_t fb[2] = {pair(&bT[g][2 * t]), pair(&bT[g][2 * t + 8])};
    float sum[4] = {1, 1, 1, 1};
    cuda::multiplyAdd16x8x16(sum, fa, fb);
    for (unsigned c = 0; c < 4; ++c) d[g + c / 2 * 8][2 * t + c % 2] = sum[c];
  });
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      float expected = 1;
      for (int k = 0; k < 16; ++k) expected += af[i][k] * bf[k][j];
      CHECK_EQUAL(d[i][j], expected);
    }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
