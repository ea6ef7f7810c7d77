// A chunk of fits, from the host to the device and back.
#pragma once

#include <memory>

#include "cpu/CpuBackend.h"
#include "cuda/DeviceScheme.h"
#include "cuda/Staging.h"
#include "cuda/WorkQueue.h"

namespace sfm::cuda {

// Problems of that call that should be computed at once.
int fitCapacity(const Work& work, size_t stagingBytes);

// The launches of a chunk as one graph, for the next chunk that looks the same in the same memory.
class FitGraph {
 public:
  struct Key {
    std::weak_ptr<const DeviceScheme> scheme;
    FitOptions options;
    ObservationSpace space = ObservationSpace::kImage;
    int count = 0, generation = -1;
    bool confident = false;
    bool operator==(const Key& other) const;
  };
  // Appends what `record` appends; from the second time on that the key is the same, by a graph.
  template <class Record>
  void launch(const Key& key, cudaStream_t stream, Record record) {
    if (!(key == key_)) {
      graph_ = Graph();
      key_ = key;
      return record();
    }
    if (!graph_) graph_ = capture(stream, record);
    check(cudaGraphLaunch(graph_.get(), stream), "launching a graph");
  }

 private:
  Key key_;
  Graph graph_;
};

// Appends copies and kernels to the staging's stream. Throws Error.
void startFit(Staging& staging, FitGraph& graph, const Chunk& chunk);

// After the work has ended: records and arrays to their callers. Settles the chunk, but for what the CPU has still to do in
// its own time: the problems that the device left unsolved, and posteriors, of which the device has found the information
// on the identity. Throws before it has settled anything.
void finishFit(const Staging& staging, const Chunk& chunk, CpuBackend& cpu);

}  // namespace sfm::cuda
