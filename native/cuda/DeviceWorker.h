// A device's thread: takes chunks from the queue, keeps several under way at once, so that copies in, kernels and copies
// out overlap, and hands out what is done.
#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "cpu/CpuBackend.h"
#include "cuda/FitChunk.h"
#include "cuda/Staging.h"
#include "cuda/WorkQueue.h"

namespace sfm::cuda {

class DeviceWorker {
 public:
  // Begins at once. All must outlive it; stop the queue before its end.
  DeviceWorker(const DeviceInfo& device, WorkQueue& queue, const std::shared_ptr<CpuBackend>& cpu, ThreadPool& copier);
  ~DeviceWorker();

 private:
  struct Slot {
    Slot(const DeviceInfo& device, ThreadPool& copier) : staging(device, copier) {}
    Staging staging;
    FitGraph graph;
    Chunk chunk;  // empty: idle
  };

  void run();
  void work();
  int capacity(const Work& work) const;
  Chunk take(bool wait);
  void start(Slot& slot, Chunk chunk);
  void finish(Slot& slot);
  bool makeRoom(const Chunk& chunk);
  void allRoom();
  void moreRoom();
  void release();
  void abandon(std::exception_ptr error);

  const DeviceInfo device_;
  WorkQueue& queue_;
  const std::shared_ptr<CpuBackend> cpu_;
  ThreadPool& copier_;
  size_t slots_ = 3;  // that may be busy: fewer where memory ran out
  int halvings_ = 0;  // of the chunks, likewise
  std::deque<std::unique_ptr<Slot>> idle_, busy_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace sfm::cuda
