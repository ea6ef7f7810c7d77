// Loops of nothing else, that show what a processor allows: multiply-adds in registers, and stores.
#pragma once

#include <stddef.h>

#include "core/Platform.h"

namespace sfm {
namespace {

// Multiply-adds of that many rounds, ten chains of them, which is enough to wait for none. Returns how many numbers were
// multiplied; `sink` takes what comes of it.
double multiplyAddsKernel(long long rounds, float* sink) {
  constexpr int kChains = 10;
  Vec sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = broadcast(sink[c]);  // no constants: nothing can be known beforehand
  const Vec factor = broadcast(sink[kChains]), addend = broadcast(sink[kChains + 1]);
  for (long long i = 0; i < rounds; ++i) {
    SFM_UNROLLED
    for (int c = 0; c < kChains; ++c) sums[c] = multiplyAdd(sums[c], factor, addend);
  }
  Vec total = sums[0];
  for (int c = 1; c < kChains; ++c) total = add(total, sums[c]);
  sink[0] = sum(total);
  return static_cast<double>(rounds) * kChains * Vec::kLanes;
}

// Fills numbers past the caches; `to` is aligned to a cache line and `count` a multiple of one.
void streamKernel(float* to, size_t count, float value) {
  const Vec all = broadcast(value);
  for (size_t i = 0; i < count; i += Vec::kLanes) storeStreaming(to + i, all);
  fenceStreams();
}

}  // namespace
}  // namespace sfm
