#include "cuda/WorkQueue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/Error.h"

namespace sfm::cuda {

namespace {

// What shares the devices is not cut finer than this: below it, a launch's own time shows.
constexpr int kSmallestShare = 256;

// Calls that are looked at for what fits with the first.
constexpr size_t kLookAhead = 4096;

bool together(const Work& a, const Work& b) {
  if (a.fit && b.fit)
    return a.fit->model == b.fit->model && a.fit->scheme == b.fit->scheme && a.fit->space == b.fit->space &&
           a.fit->options == b.fit->options;
  return a.decode && b.decode && a.decode->model == b.decode->model && a.decode->scheme == b.decode->scheme &&
         a.decode->precision == b.decode->precision && a.decode->poses.empty() == b.decode->poses.empty() &&
         (a.decode->normals.size() > 0) == (b.decode->normals.size() > 0);
}

}  // namespace

Work::Work(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> c, Completion done)
    : fit(std::move(batch)), cancellation(std::move(c)), done_(std::move(done)), open_(fit->count) {}

Work::Work(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> c, Completion done)
    : decode(std::move(batch)), cancellation(std::move(c)), done_(std::move(done)), open_(decode->count) {}

void Work::settle(int problems, std::exception_ptr error) {
  if (error && !failed_.exchange(true)) error_ = error;
  if (open_.fetch_sub(problems, std::memory_order_acq_rel) == problems) done_(error_);
}

void Chunk::settle(std::exception_ptr error) const {
  for (const Segment& segment : segments) segment.work->settle(segment.count, error);
}

void WorkQueue::add(std::shared_ptr<Work> work) {
  const int count = work->count();
  if (count == 0) return work->settle(0, nullptr);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (lost_) std::rethrow_exception(lost_);
    if (static_cast<int>(segments_.size()) >= limit_)
      throw Error(ErrorCode::QUEUE_FULL,
                  "the queue holds " + std::to_string(limit_) + " calls already: wait for some of them");
    segments_.push_back({std::move(work), 0, count});
  }
  wake_.notify_all();
}

Chunk WorkQueue::takeFront(std::unique_lock<std::mutex>& lock, int capacity) {
  std::vector<Segment> cancelled;
  Chunk chunk;
  // Every device takes its part of a large call, whatever is left of that.
  if (devices_ > 1)
    capacity =
        std::min(capacity, std::max(kSmallestShare, (segments_.front().work->count() + devices_ - 1) / devices_));
  size_t looked = 0;
  for (auto at = segments_.begin(); at != segments_.end() && chunk.count < capacity && looked < kLookAhead; ++looked) {
    if (at->work->cancelled()) {
      cancelled.push_back(std::move(*at));
      at = segments_.erase(at);
      continue;
    }
    if (chunk.count > 0 && !together(chunk.work(), *at->work)) {
      ++at;
      continue;
    }
    const int count = std::min(at->count, capacity - chunk.count);
    chunk.segments.push_back({at->work, at->first, count});
    chunk.count += count;
    at->first += count;
    at->count -= count;
    if (at->count == 0) at = segments_.erase(at);
  }
  if (!cancelled.empty()) {
    lock.unlock();
    for (const Segment& segment : cancelled) segment.work->settle(segment.count, nullptr);
    lock.lock();
  }
  return chunk;
}

void WorkQueue::putBack(Chunk chunk) {
  std::exception_ptr lost;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopped_ && !lost_) {
      segments_.insert(segments_.begin(), chunk.segments.begin(), chunk.segments.end());
      chunk.segments.clear();
    }
    lost = lost_;
  }
  wake_.notify_all();
  chunk.settle(lost);
}

void WorkQueue::becomeIdle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++idle_;
}

void WorkQueue::leave(bool busy, std::exception_ptr error) {
  std::deque<Segment> left;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!busy) --idle_;
    if (--devices_ > 0) return;
    lost_ = error;
    left.swap(segments_);
  }
  for (const Segment& segment : left) segment.work->settle(segment.count, error);
}

void WorkQueue::stop() {
  std::deque<Segment> left;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    left.swap(segments_);
  }
  wake_.notify_all();
  for (const Segment& segment : left) segment.work->settle(segment.count, nullptr);
}

}  // namespace sfm::cuda
