#include "cuda/DeviceWorker.h"

#include <algorithm>
#include <utility>

#include "core/Error.h"
#include "cuda/DecodeChunk.h"

namespace sfm::cuda {

namespace {

// Chunks under way: one that is copied in, one that is computed, one that is copied out.
constexpr size_t kSlots = 3;

// Bytes of a chunk's staging. Decoding is bound by the copy to the host, which pieces of this size already saturate; fits
// need thousands of problems at once to fill a device.
constexpr size_t kDecodeBytes = size_t{16} << 20;
constexpr size_t kFitBytes = size_t{64} << 20;

ErrorCode codeOf(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return e.code();
  } catch (...) {
    return ErrorCode::INTERNAL;
  }
}

// Whatever makes a worker give up, the device is not to be had any more.
std::exception_ptr asLoss(const std::exception_ptr& error) {
  if (codeOf(error) != ErrorCode::INTERNAL) return error;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return std::make_exception_ptr(Error(ErrorCode::DEVICE_UNAVAILABLE, e.what()));
  }
}

}  // namespace

DeviceWorker::DeviceWorker(const DeviceInfo& device, WorkQueue& queue, const std::shared_ptr<CpuBackend>& cpu,
                           ThreadPool& copier)
    : device_(device), queue_(queue), cpu_(cpu), copier_(copier), thread_([this] { run(); }) {}

DeviceWorker::~DeviceWorker() { thread_.join(); }

void DeviceWorker::run() {
  try {
    const OnDevice on(device_.ordinal);
    for (size_t i = 0; i < kSlots; ++i) idle_.push_back(std::make_unique<Slot>(device_, copier_));
    work();
    idle_.clear();
  } catch (...) {
    // The device is lost, or was never to be had.
    abandon(asLoss(std::current_exception()));
    idle_.clear();
    busy_.clear();
  }
}

void DeviceWorker::work() {
  for (;;) {
    // Only when nothing is under way is there nothing better to do than to wait.
    Chunk chunk = busy_.size() < slots_ ? take(busy_.empty()) : Chunk{};
    if (chunk.count > 0) {
      std::unique_ptr<Slot> slot = std::move(idle_.front());
      idle_.pop_front();
      busy_.push_back(std::move(slot));
      start(*busy_.back(), std::move(chunk));
    } else if (!busy_.empty()) {
      finish(*busy_.front());
    } else {
      return;  // the queue has been stopped
    }
  }
}

int DeviceWorker::capacity(const Work& work) const {
  return work.fit ? fitCapacity(work, kFitBytes >> halvings_) : decodeCapacity(work, kDecodeBytes >> halvings_);
}

Chunk DeviceWorker::take(bool wait) {
  const auto room = [this](const Work& work) { return capacity(work); };
  Chunk chunk = queue_.take(!busy_.empty(), false, room);
  if (chunk.count > 0 || !wait) return chunk;
  // A pause is a good moment to try again with all the memory.
  allRoom();
  return queue_.take(false, true, room);
}

// The slot is the last of those that are busy, and stays there if its work is under way.
void DeviceWorker::start(Slot& slot, Chunk chunk) {
  slot.chunk = std::move(chunk);
  try {
    if (slot.chunk.work().fit)
      startFit(slot.staging, slot.graph, slot.chunk);
    else
      startDecode(slot.staging, slot.chunk);
    slot.staging.end();
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    // What has been appended before the error may still run in the slot's memory; a stream that cannot be waited for is
    // that of a lost device.
    if (codeOf(error) == ErrorCode::DEVICE_UNAVAILABLE || cudaStreamSynchronize(slot.staging.stream()) != cudaSuccess)
      throw;
    Chunk failed = std::exchange(slot.chunk, Chunk{});
    idle_.push_back(std::move(busy_.back()));
    busy_.pop_back();
    if (busy_.empty()) queue_.becomeIdle();
    if (codeOf(error) != ErrorCode::OUT_OF_MEMORY || !makeRoom(failed)) {
      allRoom();  // what was in the way of this call need not be in that of the next
      return failed.settle(error);
    }
    queue_.putBack(std::move(failed));
    release();
  }
}

// Where memory ran out: first with fewer slots, then with smaller chunks. False where there is nothing left to save.
bool DeviceWorker::makeRoom(const Chunk& chunk) {
  if (slots_ > 1) {
    slots_ = std::max<size_t>(1, busy_.size());
    return true;
  }
  if (chunk.count == 1) return false;
  do ++halvings_;
  while (capacity(chunk.work()) >= chunk.count);
  return true;
}

void DeviceWorker::allRoom() {
  halvings_ = 0;
  slots_ = kSlots;
}

// After a chunk that found its memory: twice as much may be had again, or one more at a time.
void DeviceWorker::moreRoom() {
  if (halvings_ > 0)
    --halvings_;
  else if (slots_ < kSlots)
    ++slots_;
}

// Ends what is under way, and gives all memory back.
void DeviceWorker::release() {
  while (!busy_.empty()) finish(*busy_.front());
  for (const std::unique_ptr<Slot>& slot : idle_) slot->staging.clear();
}

void DeviceWorker::finish(Slot& slot) {
  slot.staging.wait();  // throws where the device has been lost; the chunk is abandoned then
  std::unique_ptr<Slot> done = std::move(busy_.front());
  busy_.pop_front();
  const Chunk chunk = std::exchange(slot.chunk, Chunk{});
  try {
    if (chunk.work().fit)
      finishFit(slot.staging, chunk, *cpu_);
    else
      finishDecode(slot.staging, chunk);
    moreRoom();
  } catch (...) {
    chunk.settle(std::current_exception());
  }
  idle_.push_back(std::move(done));
  if (busy_.empty()) queue_.becomeIdle();
}

// Other devices go on with what was under way here; without any, it ends with the error.
void DeviceWorker::abandon(std::exception_ptr error) {
  queue_.leave(!busy_.empty(), error);
  for (const std::unique_ptr<Slot>& slot : busy_) queue_.putBack(std::exchange(slot->chunk, Chunk{}));
}

}  // namespace sfm::cuda
