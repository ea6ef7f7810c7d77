// Places in a block of memory, one after the other, each aligned for a device's widest accesses.
#pragma once

#include <cstddef>

namespace sfm::cuda {

class Layout {
 public:
  // Room for so many of T; returns its offset in bytes.
  template <class T>
  size_t add(size_t count) {
    const size_t at = bytes_;
    bytes_ = (bytes_ + count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }
  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kAlignment = 256;
  size_t bytes_ = 0;
};

// What lies at an offset.
template <class T>
T* at(void* memory, size_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(memory) + offset);
}

}  // namespace sfm::cuda
