// Fits through a backend: observations to a batch, and batches compared bit by bit.
#pragma once

#include <cstring>
#include <future>
#include <memory>
#include <vector>

#include "core/Backend.h"
#include "test/Scene.h"

namespace sfm::test {

inline std::shared_ptr<FitBatch> makeBatch(const Scene& scene, const std::vector<Observation>& observations,
                                           const FitOptions& options, bool scan) {
  auto batch = std::make_shared<FitBatch>();
  batch->model = scene.model;
  batch->scheme = scene.scheme;
  batch->options = options;
  batch->space = scan ? ObservationSpace::kScan : ObservationSpace::kImage;
  batch->count = static_cast<int>(observations.size());
  bool confident = false;
  for (const Observation& o : observations) confident |= !o.confidence.empty();
  for (const Observation& o : observations) {
    batch->points.insert(batch->points.end(), o.points.begin(), o.points.end());
    batch->cameras.insert(batch->cameras.end(), {o.problem.focal, o.problem.principal[0], o.problem.principal[1],
                                                 o.problem.imageSize, o.problem.noise});
    for (int i = 0; confident && i < scene.landmarkCount(); ++i)
      batch->confidence.push_back(o.confidence.empty() ? 1.0f : o.confidence[i]);
  }
  batch->allocate();
  return batch;
}

// Fits and waits; what the backend throws comes out here.
inline void run(Backend& backend, const std::shared_ptr<FitBatch>& batch) {
  std::promise<void> finished;
  backend.fit(batch, std::make_shared<Cancellation>(), [&finished](std::exception_ptr error) {
    if (error)
      finished.set_exception(error);
    else
      finished.set_value();
  });
  finished.get_future().get();
}

inline std::shared_ptr<FitBatch> fitOn(Backend& backend, const Scene& scene,
                                       const std::vector<Observation>& observations, const FitOptions& options,
                                       bool scan) {
  std::shared_ptr<FitBatch> batch = makeBatch(scene, observations, options, scan);
  run(backend, batch);
  return batch;
}

inline bool sameFit(const FitBatch& a, size_t i, const FitBatch& b, size_t j) {
  const size_t size = a.arraysPerFit();
  return std::memcmp(a.records.data() + i * kRecordSize, b.records.data() + j * kRecordSize,
                     kRecordSize * sizeof(double)) == 0 &&
         std::memcmp(a.arrays.data() + i * size, b.arrays.data() + j * size, size * sizeof(float)) == 0;
}

}  // namespace sfm::test
