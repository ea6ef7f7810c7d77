#include "cpu/MachineLimits.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "core/AlignedBuffer.h"

namespace sfm {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRuns = 8;
constexpr std::chrono::milliseconds kRun(10);
constexpr long long kRounds = 10000;
constexpr size_t kStored = size_t{4} << 20;  // numbers: 16 MB, more than a thread's share of a cache

// How much is done in a second, the best of some runs: `work` says how much it has done.
template <class Work>
double bestRate(const Cancellation& cancellation, const Work& work) {
  double best = 0;
  for (int run = 0; run < kRuns && !cancellation.cancelled(); ++run) {
    const Clock::time_point begin = Clock::now();
    double done = 0;
    std::chrono::duration<double> time;
    do {
      done += work();
      time = Clock::now() - begin;
    } while (time < kRun);
    best = std::max(best, done / time.count());
  }
  return best;
}

}  // namespace

void measureLimits(ThreadPool& pool, const CpuKernels& kernels, std::shared_ptr<MachineLimits> limits,
                   std::shared_ptr<const Cancellation> cancellation, Completion done) {
  Job job;
  job.taskCount = pool.threadCount();
  const auto mutex = std::make_shared<std::mutex>();
  job.run = [&kernels, limits, cancellation, mutex](int, int) {
    float sink[16];
    std::fill(sink, sink + 16, 0.5f);
    const double flops = bestRate(*cancellation, [&] { return 2 * kernels.multiplyAdds(kRounds, sink); });
    AlignedBuffer<float> memory(kStored);
    const double bytes = bestRate(*cancellation, [&] {
      kernels.stream(memory.data(), kStored, sink[0]);
      return static_cast<double>(kStored * sizeof(float));
    });
    const std::lock_guard<std::mutex> lock(*mutex);
    limits->flops += flops;
    limits->storedBytes += bytes;
  };
  job.done = std::move(done);
  pool.submit(std::move(job));
}

}  // namespace sfm
