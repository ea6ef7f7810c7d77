// Workers that take the tasks of jobs in the order of submission, one at a time, so that jobs of uneven tasks balance
// themselves.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sfm {

struct Job {
  int taskCount = 0;
  std::function<void(int task, int worker)> run;
  std::function<void(std::exception_ptr)> done;  // once, by the worker that ends the last task
};

class ThreadPool {
 public:
  ThreadPool(int threads, int queueLimit);
  // Tasks under way are finished, jobs not begun are dropped (their `done` is still called).
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Throws Error(QUEUE_FULL).
  void submit(Job job);
  int threadCount() const { return static_cast<int>(threads_.size()); }

  // The processors this process may use.
  static int availableParallelism();

 private:
  using Clock = std::chrono::steady_clock;
  struct Running;
  void work(int worker);
  void awaitCall(Clock::time_point end) const;
  void stop();
  static void execute(Running& running, int task, int worker, bool skip);

  const int queueLimit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Running>> queue_;
  std::atomic<size_t> waiting_{0};  // its length, for those who look without the mutex
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sfm
