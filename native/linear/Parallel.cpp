#include "linear/Parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>

#include "core/Error.h"
#include "cpu/ThreadPool.h"

namespace sfm::linear {

namespace {

// Outlives the call where the pool comes to it late: such a helper finds no round left, and leaves `body` alone.
struct Loop {
  Loop(int64_t n, const std::function<void(int64_t)>& b) : count(n), body(b) {}

  void help() {
    for (;;) {
      const int64_t round = next.fetch_add(1);
      if (round >= count) return;
      try {
        body(round);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
      }
      if (ended.fetch_add(1) + 1 == count) {
        const std::lock_guard<std::mutex> lock(mutex);
        last.notify_one();
      }
    }
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    last.wait(lock, [this] { return ended.load() == count; });
    if (error) std::rethrow_exception(error);
  }

  const int64_t count;
  const std::function<void(int64_t)>& body;
  std::atomic<int64_t> next{0}, ended{0};
  std::mutex mutex;
  std::condition_variable last;
  std::exception_ptr error;
};

}  // namespace

void Parallel::operator()(int64_t count, const std::function<void(int64_t)>& body) const {
  const int64_t helpers = pool_ ? std::min<int64_t>(pool_->threadCount(), count) - 1 : 0;
  if (helpers <= 0) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  const auto loop = std::make_shared<Loop>(count, body);
  Job job;
  job.taskCount = static_cast<int>(helpers);
  job.run = [loop](int, int) { loop->help(); };
  job.done = [](std::exception_ptr) {};
  try {
    pool_->submit(std::move(job));
  } catch (const Error&) {
    // The pool's queue is full: nobody will help.
  }
  loop->help();
  loop->wait();
}

}  // namespace sfm::linear
