// What devices keep of an object for as long as it lives: made once for each device by whoever asks first.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace sfm {

class DeviceCopies {
 public:
  // The copy of that kind for that device; `make` makes it and returns a shared_ptr. What it throws comes out here, and
  // then the next to ask tries again.
  template <class T, class Make>
  std::shared_ptr<T> of(int device, int kind, Make make) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<void>& copy = copies_[{device, kind}];
    if (!copy) copy = make();
    return std::static_pointer_cast<T>(copy);
  }

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::pair<int, int>, std::shared_ptr<void>> copies_;
};

}  // namespace sfm
