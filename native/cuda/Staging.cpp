#include "cuda/Staging.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <future>
#include <memory>
#include <utility>

namespace sfm::cuda {

namespace {

constexpr size_t kSmallest = size_t{1} << 16;   // bytes of a first reservation
constexpr size_t kCopyPiece = size_t{2} << 20;   // bytes that a thread copies at a time

}  // namespace

void Staging::reserve(size_t deviceBytes, size_t pinnedBytes) {
  const auto grown = [](size_t bytes) { return std::bit_ceil(std::max(bytes, kSmallest)); };
  // The old goes first: both at once may be too much.
  if (deviceBytes > deviceMemory_.bytes()) {
    ++generation_;
    deviceMemory_ = DeviceMemory();
    deviceMemory_ = DeviceMemory(grown(deviceBytes));
    // What lies between arrays comes back with them, and sanitizers ask who wrote it.
    check(cudaMemsetAsync(deviceMemory_.data(), 0, deviceMemory_.bytes(), stream()), "clearing a device's memory");
  }
  if (pinnedBytes > pinned_.bytes()) {
    ++generation_;
    pinned_ = PinnedMemory();
    pinned_ = PinnedMemory(grown(pinnedBytes));
  }
}

void Staging::clear() {
  ++generation_;
  deviceMemory_ = DeviceMemory();
  pinned_ = PinnedMemory();
}

void Staging::copy(void* to, const void* from, size_t bytes) const {
  if (bytes < 2 * kCopyPiece || copier_.threadCount() < 2) {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return;
  }
  // The job has a share of it: who waits here may go on while `done` is still on its way out.
  const auto finished = std::make_shared<std::promise<void>>();
  Job job;
  job.taskCount = static_cast<int>((bytes + kCopyPiece - 1) / kCopyPiece);
  job.run = [=](int task, int) {
    const size_t begin = static_cast<size_t>(task) * kCopyPiece;
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                std::min(kCopyPiece, bytes - begin));
  };
  job.done = [finished](std::exception_ptr) { finished->set_value(); };
  std::future<void> end = finished->get_future();
  copier_.submit(std::move(job));
  end.get();
}

}  // namespace sfm::cuda
