// What a device can do. The CPU implements it; other devices implement the same.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>

#include "core/Batch.h"

namespace sfm {

// Lets the owner of a running batch stop it: what has not begun is skipped.
class Cancellation {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// Called once, on a thread of the backend; the exception is null when all went well (also after a cancellation).
using Completion = std::function<void(std::exception_ptr)>;

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // Both return at once, or throw Error(QUEUE_FULL). The batch lives until the completion has been called.
  virtual void fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                   Completion done) = 0;
  virtual void decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                      Completion done) = 0;
  // Decodes on the calling thread.
  virtual void decodeNow(DecodeBatch& batch) = 0;
};

}  // namespace sfm
