// Times on the host.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace sfm::bench {

struct Times {
  double median = 0, least = 0, most = 0;  // ms
  int runs = 0;
  double cpu = 0;  // median of the processor's time, all threads together; 0: not measured
};

inline Times summary(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const size_t n = milliseconds.size();
  return {(milliseconds[(n - 1) / 2] + milliseconds[n / 2]) / 2, milliseconds.front(), milliseconds.back(),
          static_cast<int>(n), 0};
}

template <class Run>
Times timeOnHost(int runs, Run run) {
  std::vector<double> milliseconds, processor;
  for (int i = -1; i < runs; ++i) {
    const std::clock_t used = std::clock();
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (i < 0) continue;
    milliseconds.push_back(time.count());
    processor.push_back(1e3 * static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC);
  }
  Times times = summary(milliseconds);
  times.cpu = summary(processor).median;
  return times;
}

}  // namespace sfm::bench
