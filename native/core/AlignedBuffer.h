// A block of plain numbers aligned to a cache line, with a zeroed tail that vector loads may run into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace sfm {

template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kTail = 256;  // bytes

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : AlignedBuffer(uninitialised(size)) {
    std::memset(static_cast<void*>(data_), 0, size * sizeof(T));
  }
  // For numbers that will all be written: large outputs are not touched twice, nor on the thread that asks for them.
  static AlignedBuffer uninitialised(size_t size) {
    if (size > (SIZE_MAX / 2 - kTail) / sizeof(T)) throw std::bad_alloc();
    AlignedBuffer buffer;
    buffer.data_ = static_cast<T*>(::operator new(size * sizeof(T) + kTail, std::align_val_t(kAlignment)));
    buffer.size_ = size;
    std::memset(static_cast<void*>(buffer.data_ + size), 0, kTail);
    return buffer;
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { ::operator delete(data_, std::align_val_t(kAlignment)); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sfm
