// A loop whose rounds are shared between the calling thread and a pool's.
#pragma once

#include <cstdint>
#include <functional>

namespace sfm {
class ThreadPool;
}

namespace sfm::linear {

class Parallel {
 public:
  // Without a pool the calling thread works alone.
  explicit Parallel(ThreadPool* pool = nullptr) : pool_(pool) {}

  // Calls body(0), ..., body(count - 1), each once and in any order; returns when all have ended. A pool that is busy
  // with something else is not waited for: the caller then does more of the work itself.
  void operator()(int64_t count, const std::function<void(int64_t)>& body) const;

 private:
  ThreadPool* pool_;
};

}  // namespace sfm::linear
