#include "test/shim/Fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sfm::shim {

Fiber::Fiber(size_t stackBytes) : stackBytes_(stackBytes) {
  // Pages that are never touched cost nothing.
  void* memory =
      mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stack_ = static_cast<char*>(memory);
}

Fiber::~Fiber() { munmap(stack_, stackBytes_); }

void Fiber::prepare(std::function<void()> body) {
  body_ = std::move(body);
  begun_ = false;
  ended_ = false;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_, stackBytes_);
#endif
}

void Fiber::enter(unsigned low, unsigned high) {
  reinterpret_cast<Fiber*>(static_cast<uintptr_t>(low) | static_cast<uintptr_t>(high) << 32)->run();
}

namespace {

// makecontext hands over ints.
template <class Enter>
void makeEntry(ucontext_t* context, char* stack, size_t bytes, Enter enter, void* self) {
  getcontext(context);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = bytes;
  context->uc_link = nullptr;
  const auto address = reinterpret_cast<uintptr_t>(self);
  makecontext(context, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(address),
              static_cast<unsigned>(address >> 32));
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__)

void Fiber::run() {
  __sanitizer_finish_switch_fiber(nullptr, &outsideStack_, &outsideStackBytes_);
  body_();
  ended_ = true;
  __sanitizer_start_switch_fiber(nullptr, outsideStack_, outsideStackBytes_);
  setcontext(&outside_);
}

void Fiber::resume() {
  if (!begun_) {
    begun_ = true;
    makeEntry(&inside_, stack_, stackBytes_, &Fiber::enter, this);
    insideFake_ = nullptr;
  }
  __sanitizer_start_switch_fiber(&outsideFake_, stack_, stackBytes_);
  swapcontext(&outside_, &inside_);
  __sanitizer_finish_switch_fiber(outsideFake_, nullptr, nullptr);
}

void Fiber::suspend() {
  __sanitizer_start_switch_fiber(&insideFake_, outsideStack_, outsideStackBytes_);
  swapcontext(&inside_, &outside_);
  __sanitizer_finish_switch_fiber(insideFake_, &outsideStack_, &outsideStackBytes_);
}

#else

void Fiber::run() {
  body_();
  ended_ = true;
  _longjmp(outside_, 1);
}

void Fiber::resume() {
  if (_setjmp(outside_) != 0) return;
  if (begun_) _longjmp(inside_, 1);
  begun_ = true;
  ucontext_t context;
  makeEntry(&context, stack_, stackBytes_, &Fiber::enter, this);
  setcontext(&context);
}

void Fiber::suspend() {
  if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
}

#endif

}  // namespace sfm::shim
