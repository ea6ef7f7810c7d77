#include "test/shim/Grid.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <memory>
#include <random>
#include <sstream>
#include <utility>
#include <vector>

#include "test/shim/Fiber.h"

namespace sfm::shim {

namespace {

constexpr size_t kStackBytes = 256 * 1024;

enum class State { kReady, kAtBarrier, kAtGather, kEnded };

struct Thread {
  Index index;
  unsigned number = 0;
  Fiber* fiber = nullptr;
  State state = State::kEnded;
  std::source_location where;
  // At a barrier:
  Vote vote = Vote::kNone;
  bool predicate = false;
  int votes = 0;
  // At a gathering of lanes:
  uint32_t mask = 0;
  const LaneData* in = nullptr;
  LaneData* out = nullptr;
  Combine combine = nullptr;
  std::deque<std::vector<std::function<void()>>> groups;  // copies put off, the last group still open
};

// Fibers are kept: a test launches many small grids.
Fiber* fiberOf(size_t thread) {
  static std::vector<std::unique_ptr<Fiber>> fibers;
  while (fibers.size() <= thread) fibers.push_back(std::make_unique<Fiber>(kStackBytes));
  return fibers[thread].get();
}

Index indexIn(const Extent& extent, unsigned number) {
  return {number % extent.x, number / extent.x % extent.y, number / extent.x / extent.y};
}

std::string placeOf(const Thread& thread) {
  std::ostringstream text;
  text << "thread " << thread.number << " ";
  if (thread.state == State::kEnded)
    text << "has ended";
  else
    text << (thread.state == State::kAtBarrier ? "is at the barrier " : "is among lanes at ")
         << thread.where.file_name() << ":" << thread.where.line();
  return text.str();
}

bool samePlace(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

class Block {
 public:
  Block(const Launch& launch, const std::function<void()>& thread)
      : launch_(launch), body_(thread), random_(launch.seed), threads_(launch.block.count()) {
    if (threads_.empty() || threads_.size() > 1024) throw Fault("a block has 1 to 1,024 threads");
    for (unsigned i = 0; i < threads_.size(); ++i) {
      threads_[i].number = i;
      threads_[i].index = indexIn(launch.block, i);
      threads_[i].fiber = fiberOf(i);
      order_.push_back(&threads_[i]);
    }
    shared_.resize(launch.sharedBytes + 16);
  }

  void run(unsigned number) {
    blockIndex = indexIn(launch_.grid, number);
    std::memset(shared_.data(), 0xff, shared_.size());
    shuffle();
    for (Thread& thread : threads_) {
      thread.state = State::kReady;
      thread.groups.assign(1, {});
      thread.fiber->prepare([this] {
        try {
          body_();
        } catch (...) {
          error_ = std::current_exception();
        }
      });
    }
    while (advance()) release();
  }

  Thread& current() { return *current_; }
  void* shared() {
    const auto address = reinterpret_cast<uintptr_t>(shared_.data());
    return reinterpret_cast<void*>((address + 15) / 16 * 16);
  }

 private:
  // Warps in any order, and the lanes of each.
  void shuffle() {
    if (launch_.seed == 0) return;
    std::shuffle(order_.begin(), order_.end(), random_);
    std::vector<unsigned> rank(threads_.size() / kWarp + 1);
    for (unsigned& value : rank) value = static_cast<unsigned>(random_());
    std::stable_sort(order_.begin(), order_.end(), [&](const Thread* a, const Thread* b) {
      return rank[a->number / kWarp] < rank[b->number / kWarp];
    });
  }

  // Runs threads that can until they wait or end; false when all have ended. Some warps are held back each time, so that
  // they come apart as far as barriers let them.
  bool advance() {
    // Now from the front and now from the back: who comes first after a barrier is nobody's to know.
    if (launch_.seed != 0 && (random_() & 1)) std::reverse(order_.begin(), order_.end());
    const uint64_t heldBack = launch_.seed != 0 ? random_() & random_() : 0;  // a quarter of the warps
    bool any = false, ready = false, all = true;
    for (Thread* thread : order_) {
      if (thread->state == State::kReady) {
        ready = true;
        if (!(heldBack >> (thread->number / kWarp) & 1)) {
          any = true;
          resume(*thread);
        }
      }
      all &= thread->state == State::kEnded;
    }
    if (ready && !any)
      for (Thread* thread : order_)
        if (thread->state == State::kReady) resume(*thread);
    if (!ready && !all) stuck();
    return !all;
  }

  void resume(Thread& thread) {
    current_ = &thread;
    threadIndex = thread.index;
    thread.fiber->resume();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if (thread.fiber->ended()) thread.state = State::kEnded;
  }

  void release() {
    for (size_t first = 0; first < threads_.size(); first += kWarp) releaseWarp(first);
    releaseBarrier();
  }

  void releaseBarrier() {
    int votes = 0;
    for (const Thread& thread : threads_) {
      if (thread.state != State::kAtBarrier) return;
      votes += thread.predicate;
    }
    for (Thread& thread : threads_) {
      if (!samePlace(thread.where, threads_[0].where))
        throw Fault("one barrier for threads at different places: " + placeOf(threads_[0]) + ", " + placeOf(thread));
      const int count = static_cast<int>(threads_.size());
      thread.votes = thread.vote == Vote::kCount ? votes : thread.vote == Vote::kAll ? votes == count : votes > 0;
      thread.state = State::kReady;
    }
  }

  void releaseWarp(size_t first) {
    const size_t last = std::min(threads_.size(), first + kWarp);
    for (size_t i = first; i < last; ++i) {
      const Thread& leader = threads_[i];
      if (leader.state != State::kAtGather || !complete(leader, first, last)) continue;
      const uint32_t mask = leader.mask;
      LaneData in[kWarp], out[kWarp];
      for (size_t j = first; j < last; ++j)
        if (mask >> (j - first) & 1) in[j - first] = *threads_[j].in;
      leader.combine(in, mask, out);
      for (size_t j = first; j < last; ++j) {
        if (!(mask >> (j - first) & 1)) continue;
        *threads_[j].out = out[j - first];
        threads_[j].state = State::kReady;
      }
    }
  }

  bool complete(const Thread& leader, size_t first, size_t last) const {
    const uint32_t present = last - first == kWarp ? ~0u : (1u << (last - first)) - 1;
    if (leader.mask & ~present & (last - first == kWarp ? 0u : ~0u)) {
      // A whole warp's mask in a block that ends within a warp is what everybody writes, and the hardware takes.
      if (leader.mask != ~0u) throw Fault("a mask names lanes that are not there: " + placeOf(leader));
    }
    for (size_t j = first; j < last; ++j) {
      if (!(leader.mask >> (j - first) & 1)) continue;
      const Thread& other = threads_[j];
      if (other.state != State::kAtGather || other.mask != leader.mask || !samePlace(other.where, leader.where))
        return false;
    }
    return true;
  }

  [[noreturn]] void stuck() const {
    const Thread* waiting = nullptr;
    for (const Thread& thread : threads_)
      if (!waiting && thread.state != State::kEnded) waiting = &thread;
    std::string text = "threads that wait for each other in vain: " + placeOf(*waiting);
    for (const Thread& thread : threads_) {
      if (thread.state == waiting->state && (thread.state == State::kEnded || samePlace(thread.where, waiting->where)))
        continue;
      text += ", " + placeOf(thread);
      break;
    }
    throw Fault(text);
  }

  const Launch& launch_;
  const std::function<void()>& body_;
  std::mt19937_64 random_;
  std::vector<Thread> threads_;
  std::vector<Thread*> order_;
  std::vector<unsigned char> shared_;
  Thread* current_ = nullptr;
  std::exception_ptr error_;
};

Block* running = nullptr;

Thread& wait(State state, std::source_location where) {
  Thread& thread = running->current();
  thread.state = state;
  thread.where = where;
  return thread;
}

}  // namespace

void run(const Launch& launch, const std::function<void()>& thread) {
  if (running) throw Fault("a kernel launches no kernel");
  Block block(launch, thread);
  const struct Running {
    explicit Running(Block* b) { running = b; }
    ~Running() { running = nullptr; }
  } guard(&block);
  gridExtent = launch.grid;
  blockExtent = launch.block;
  std::vector<unsigned> order(launch.grid.count());
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64 random(launch.seed);
  if (launch.seed != 0) std::shuffle(order.begin(), order.end(), random);
  for (const unsigned number : order) block.run(number);
}

void* dynamicShared() { return running->shared(); }

unsigned lane() { return running->current().number % kWarp; }

int barrier(Vote vote, bool predicate, std::source_location where) {
  Thread& thread = wait(State::kAtBarrier, where);
  thread.vote = vote;
  thread.predicate = predicate;
  thread.fiber->suspend();
  return thread.votes;
}

void gather(uint32_t mask, const LaneData& in, LaneData* out, Combine combine, std::source_location where) {
  if (!(mask >> lane() & 1)) throw Fault("a lane that its own mask leaves out");
  Thread& thread = wait(State::kAtGather, where);
  thread.mask = mask;
  thread.in = &in;
  thread.out = out;
  thread.combine = combine;
  thread.fiber->suspend();
}

void putOff(std::function<void()> copy) { running->current().groups.back().push_back(std::move(copy)); }

void closeGroup() { running->current().groups.emplace_back(); }

void settle(size_t openGroups) {
  auto& groups = running->current().groups;
  for (; groups.size() > openGroups + 1; groups.pop_front())
    for (const auto& copy : groups.front()) copy();
}

}  // namespace sfm::shim
