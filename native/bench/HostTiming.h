// Times on the host.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

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
