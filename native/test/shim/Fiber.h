// A stack of its own for a piece of code that can be left in the middle and entered again: one thread of a CUDA block.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace sfm::shim {

// Switching goes through setjmp, which costs nanoseconds; a ucontext, which costs two system calls, only enters a fiber
// for the first time. Under AddressSanitizer every switch is told to it, and goes through ucontext.
class Fiber {
 public:
  explicit Fiber(size_t stackBytes);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // What the next resume() begins. What ran before is forgotten, wherever it was: nothing on its stack is destroyed.
  void prepare(std::function<void()> body);
  // Runs it until it suspends or ends. To be called from outside any fiber.
  void resume();
  // From inside: back to resume()'s caller.
  void suspend();
  bool ended() const { return ended_; }

 private:
  static void enter(unsigned low, unsigned high);
  void run();

  size_t stackBytes_;
  char* stack_;
  std::function<void()> body_;
  bool begun_ = false;
  bool ended_ = true;
#if defined(__SANITIZE_ADDRESS__)
  ucontext_t inside_, outside_;
  void* insideFake_ = nullptr;
  void* outsideFake_ = nullptr;
  const void* outsideStack_ = nullptr;
  size_t outsideStackBytes_ = 0;
#else
  jmp_buf inside_, outside_;
#endif
};

}  // namespace sfm::shim
