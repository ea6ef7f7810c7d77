// Times on a device by its own events, and on the host.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "cuda/Check.h"

namespace sfm::bench {

struct Times {
  double median = 0, least = 0, most = 0;  // ms
  int runs = 0;
};

inline Times summary(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const size_t n = milliseconds.size();
  return {(milliseconds[(n - 1) / 2] + milliseconds[n / 2]) / 2, milliseconds.front(), milliseconds.back(),
          static_cast<int>(n)};
}

// `run(i)` appends the i-th run to the stream. Runs are timed each, after some that are not.
template <class Run>
Times timeOnDevice(cudaStream_t stream, int runs, Run run) {
  constexpr int kWarmUp = 5;
  std::vector<cudaEvent_t> events(static_cast<size_t>(runs) + 1);
  for (cudaEvent_t& event : events) cuda::check(cudaEventCreate(&event), "making an event");
  for (int i = 0; i < kWarmUp; ++i) run(i);
  cuda::check(cudaEventRecord(events[0], stream), "timing");
  for (int i = 0; i < runs; ++i) {
    run(kWarmUp + i);
    cuda::check(cudaEventRecord(events[static_cast<size_t>(i) + 1], stream), "timing");
  }
  cuda::check(cudaStreamSynchronize(stream), "waiting for a benchmark");
  std::vector<double> milliseconds;
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    float time = 0;
    cuda::check(cudaEventElapsedTime(&time, events[i], events[i + 1]), "timing");
    milliseconds.push_back(time);
  }
  for (const cudaEvent_t event : events) cudaEventDestroy(event);
  return summary(milliseconds);
}

template <class Run>
Times timeOnHost(int runs, Run run) {
  std::vector<double> milliseconds;
  for (int i = -1; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (i >= 0) milliseconds.push_back(time.count());
  }
  return summary(milliseconds);
}

}  // namespace sfm::bench
