// The calls that wait for devices, handed out in pieces. Calls that can be computed together are: many small ones make
// one launch, a large one many, on as many devices as there are.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/Backend.h"

namespace sfm::cuda {

// A call: a batch of fits or of faces to decode. Ends, with `done`, when all its problems have been settled.
class Work {
 public:
  Work(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation, Completion done);
  Work(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation, Completion done);

  const std::shared_ptr<FitBatch> fit;  // one of the two is null
  const std::shared_ptr<DecodeBatch> decode;
  const std::shared_ptr<const Cancellation> cancellation;

  int count() const { return fit ? fit->count : decode->count; }
  bool cancelled() const { return cancellation->cancelled(); }
  // So many problems are done with, by an error or not. The first error is what the call ends with.
  void settle(int problems, std::exception_ptr error);

 private:
  Completion done_;
  std::atomic<int> open_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // of those who set `failed_` first
};

// Neighbouring problems of a call.
struct Segment {
  std::shared_ptr<Work> work;
  int first = 0, count = 0;
};

// What a device computes at once: problems that share a model, and all else that a launch shares.
struct Chunk {
  std::vector<Segment> segments;
  int count = 0;
  const Work& work() const { return *segments.front().work; }
  // Ends all of them alike.
  void settle(std::exception_ptr error) const;
};

class WorkQueue {
 public:
  WorkQueue(int devices, int limit) : devices_(devices), idle_(devices), limit_(limit) {}

  // Throws Error(QUEUE_FULL), or what the last device was lost with.
  void add(std::shared_ptr<Work> work);

  // The next piece, of at most capacity(work) problems; empty when there is none, or the queue has been stopped. Waits
  // for one if told to. What a device has under way already, `busy`, it is not to add to while another has nothing: that one
  // may be slower to wake than this one is to ask again.
  template <class Capacity>
  Chunk take(bool busy, bool wait, Capacity capacity) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (wait) wake_.wait(lock, [this] { return stopped_ || !segments_.empty(); });
      if (stopped_ || segments_.empty() || (busy && idle_ > 0)) return {};
      Chunk chunk = takeFront(lock, capacity(*segments_.front().work));
      // All may have been cancelled meanwhile.
      if (chunk.count == 0) continue;
      if (!busy) --idle_;
      return chunk;
    }
  }
  // A device has nothing under way any more. At first none has.
  void becomeIdle();
  // Gives back what could not be begun.
  void putBack(Chunk chunk);

  // A device goes, and with the last one all that waits.
  void leave(bool busy, std::exception_ptr error);
  // Nothing is handed out any more; what waits ends as if cancelled.
  void stop();

 private:
  Chunk takeFront(std::unique_lock<std::mutex>& lock, int capacity);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Segment> segments_;
  int devices_, idle_;
  const int limit_;
  bool stopped_ = false;
  std::exception_ptr lost_;
};

}  // namespace sfm::cuda
