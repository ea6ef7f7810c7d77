// Times on a device by its own events.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "bench/HostTiming.h"
#include "cuda/Check.h"

namespace sfm::bench {

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

}  // namespace sfm::bench
