#include "cpu/ThreadPool.h"

#include <string>
#include <utility>

#include "core/Error.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace sfm {

namespace {
// Longer than it takes to hand a result to JavaScript and to get the next face from there.
constexpr std::chrono::microseconds kPatience(250);
}  // namespace

struct ThreadPool::Running {
  explicit Running(Job j) : job(std::move(j)), remaining(job.taskCount) {}
  Job job;
  int next = 0;  // guarded by the pool's mutex
  std::atomic<int> remaining;
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // written by the task that sets `failed` first
};

ThreadPool::ThreadPool(int threads, int queueLimit) : queueLimit_(queueLimit) {
  threads_.reserve(static_cast<size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
  } catch (...) {
    // The system has no more threads to give: those that run must end before they lose their pool.
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::submit(Job job) {
  auto running = std::make_shared<Running>(std::move(job));
  if (running->job.taskCount == 0) {
    running->job.done(nullptr);
    return;
  }
  const int tasks = running->job.taskCount;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (static_cast<int>(queue_.size()) >= queueLimit_)
      throw Error(ErrorCode::QUEUE_FULL,
                  "the queue holds " + std::to_string(queueLimit_) + " calls already: wait for some of them");
    queue_.push_back(std::move(running));
    waiting_.store(queue_.size(), std::memory_order_relaxed);
  }
  if (tasks == 1)
    wake_.notify_one();
  else
    wake_.notify_all();
}

void ThreadPool::execute(Running& running, int task, int worker, bool skip) {
  if (!skip && !running.failed.load(std::memory_order_relaxed)) {
    try {
      running.job.run(task, worker);
    } catch (...) {
      if (!running.failed.exchange(true)) running.error = std::current_exception();
    }
  }
  if (running.remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) running.job.done(running.error);
}

void ThreadPool::work(int worker) {
  std::unique_lock<std::mutex> lock(mutex_);
  bool soon = false;  // whether the last call came soon after the one before
  for (;;) {
    if (queue_.empty() && !stopping_) {
      const Clock::time_point since = Clock::now();
      if (soon) {
        lock.unlock();
        awaitCall(since + kPatience);
        lock.lock();
      }
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      soon = Clock::now() - since < kPatience;
    }
    if (queue_.empty()) return;
    const std::shared_ptr<Running> running = queue_.front();
    const int task = running->next++;
    if (running->next == running->job.taskCount) queue_.pop_front();
    waiting_.store(queue_.size(), std::memory_order_relaxed);
    const bool skip = stopping_;
    lock.unlock();
    execute(*running, task, worker, skip);
    lock.lock();
  }
}

// Who asks for one face after the other has the next one sooner than a sleeping thread is awake.
void ThreadPool::awaitCall(Clock::time_point end) const {
  while (waiting_.load(std::memory_order_relaxed) == 0 && Clock::now() < end) std::this_thread::yield();
}

int ThreadPool::availableParallelism() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? static_cast<int>(count) : 1;
}

}  // namespace sfm
