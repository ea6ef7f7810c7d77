// The memory that one chunk is computed in, on the device and on the host, kept from chunk to chunk, and the stream of
// its work.
#pragma once

#include "cpu/ThreadPool.h"
#include "cuda/Devices.h"
#include "cuda/Runtime.h"

namespace sfm::cuda {

class Staging {
 public:
  // Of the calling thread's device. `copier` copies what is too much for one thread.
  Staging(const DeviceInfo& device, ThreadPool& copier)
      : device_(device), copier_(copier), stream_(makeStream()), done_(makeEvent()) {}

  const DeviceInfo& device() const { return device_; }
  cudaStream_t stream() const { return stream_.get(); }

  // Makes room. What was there before is gone when one of them grows; counts how often that has been.
  void reserve(size_t deviceBytes, size_t pinnedBytes);
  void* onDevice() const { return deviceMemory_.data(); }
  void* pinned() const { return pinned_.data(); }
  int generation() const { return generation_; }
  // Gives all memory back.
  void clear();

  // Marks the end of the work that has been appended so far; waits for it.
  void end() { check(cudaEventRecord(done_.get(), stream()), "marking the end of work"); }
  void wait() { check(cudaEventSynchronize(done_.get()), "waiting for a device"); }

  // memcpy, on several threads where that helps.
  void copy(void* to, const void* from, size_t bytes) const;

 private:
  const DeviceInfo device_;
  ThreadPool& copier_;
  Stream stream_;
  Event done_;
  DeviceMemory deviceMemory_;
  PinnedMemory pinned_;
  int generation_ = 0;
};

}  // namespace sfm::cuda
