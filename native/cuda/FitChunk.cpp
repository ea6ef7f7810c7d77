#include "cuda/FitChunk.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "cuda/FitKernel.h"
#include "cuda/Layout.h"

namespace sfm::cuda {

namespace {

enum Copies { kFitCopy = 1 };  // beside DecodeChunk's of the same scheme

constexpr int kLargestFits = 1 << 16;

// Where a chunk's numbers are, as in DecodeChunk.cpp.
struct Places {
  size_t points, cameras, confidence, in;
  size_t records, arrays, unsolved, out;  // `out`: bytes, from `records` on
  size_t workspace;
  size_t pinnedBytes, deviceBytes;

  Places(const FitBatch& batch, int problems, bool confident, size_t workspaceBytes) {
    const size_t count = static_cast<size_t>(problems),
                 landmarks = static_cast<size_t>(batch.scheme->basis.landmarkCount);
    Layout layout;
    points = layout.add<double>(count * landmarks * static_cast<size_t>(batch.dimensions()));
    cameras = layout.add<double>(count * FitBatch::kCameraSize);
    confidence = layout.add<float>(confident ? count * landmarks : 0);
    in = layout.bytes();
    records = layout.add<double>(count * kRecordSize);
    arrays = layout.add<float>(count * batch.arraysPerFit());
    unsolved = layout.add<uint8_t>(count);
    out = layout.bytes() - records;
    pinnedBytes = layout.bytes();
    workspace = layout.add<char>(workspaceBytes);
    deviceBytes = layout.bytes();
  }
};

bool isConfident(const Chunk& chunk) {
  return std::any_of(chunk.segments.begin(), chunk.segments.end(),
                     [](const Segment& segment) { return !segment.work->fit->confidence.empty(); });
}

std::shared_ptr<const DeviceScheme> schemeOf(const FitBatch& batch, const Staging& staging) {
  return batch.scheme->deviceCopies.of<const DeviceScheme>(staging.device().ordinal, kFitCopy, [&] {
    return std::make_shared<DeviceScheme>(*batch.model, batch.scheme->basis, staging.stream());
  });
}

void writeInputs(const Staging& staging, const Places& places, const Chunk& chunk, bool confident) {
  const FitBatch& first = *chunk.work().fit;
  const size_t landmarks = static_cast<size_t>(first.scheme->basis.landmarkCount),
               width = landmarks * static_cast<size_t>(first.dimensions());
  double* points = at<double>(staging.pinned(), places.points);
  double* cameras = at<double>(staging.pinned(), places.cameras);
  float* confidence = at<float>(staging.pinned(), places.confidence);
  for (const Segment& segment : chunk.segments) {
    const FitBatch& batch = *segment.work->fit;
    const size_t from = static_cast<size_t>(segment.first), count = static_cast<size_t>(segment.count);
    staging.copy(points, &batch.points[from * width], count * width * sizeof(double));
    std::memcpy(cameras, &batch.cameras[from * FitBatch::kCameraSize], count * FitBatch::kCameraSize * sizeof(double));
    points += count * width;
    cameras += count * FitBatch::kCameraSize;
    if (!confident) continue;
    if (batch.confidence.empty())
      std::fill_n(confidence, count * landmarks, 1.0f);
    else
      std::memcpy(confidence, &batch.confidence[from * landmarks], count * landmarks * sizeof(float));
    confidence += count * landmarks;
  }
}

// Solves some problems of a call on the CPU and settles them.
void solveOnCpu(const std::shared_ptr<Work>& work, std::vector<int> problems, CpuBackend& cpu) {
  const FitBatch& from = *work->fit;
  const size_t landmarks = static_cast<size_t>(from.scheme->basis.landmarkCount),
               width = landmarks * static_cast<size_t>(from.dimensions());
  const int count = static_cast<int>(problems.size());
  try {
    auto part = std::make_shared<FitBatch>();
    part->model = from.model;
    part->scheme = from.scheme;
    part->options = from.options;
    part->space = from.space;
    part->count = count;
    const auto append = [](auto& to, const auto& all, int problem, size_t size) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(problem) * size);
      to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
    };
    for (const int problem : problems) {
      append(part->points, from.points, problem, width);
      append(part->cameras, from.cameras, problem, FitBatch::kCameraSize);
      if (!from.confidence.empty()) append(part->confidence, from.confidence, problem, landmarks);
    }
    part->allocate();
    cpu.fit(part, work->cancellation, [work, part, problems = std::move(problems)](std::exception_ptr error) {
      FitBatch& to = *work->fit;
      const size_t arrays = to.arraysPerFit();
      for (size_t i = 0; i < problems.size() && !error; ++i) {
        const size_t problem = static_cast<size_t>(problems[i]);
        std::copy_n(part->records.data() + i * kRecordSize, kRecordSize, to.records.data() + problem * kRecordSize);
        std::copy_n(part->arrays.data() + i * arrays, arrays, to.arrays.data() + problem * arrays);
      }
      work->settle(static_cast<int>(problems.size()), error);
    });
  } catch (...) {
    work->settle(count, std::current_exception());
  }
}

// The posteriors of problems of a call that the device has solved, and settles them.
void tellPosteriors(const std::shared_ptr<Work>& work, std::vector<int> problems, CpuBackend& cpu) {
  const int count = static_cast<int>(problems.size());
  try {
    cpu.tellPosteriors(work->fit, std::move(problems), work->cancellation,
                       [work, count](std::exception_ptr error) { work->settle(count, error); });
  } catch (...) {
    work->settle(count, std::current_exception());
  }
}

}  // namespace

bool FitGraph::Key::operator==(const Key& other) const {
  const auto same = scheme.lock();
  return same && same == other.scheme.lock() && options == other.options && space == other.space &&
         count == other.count && generation == other.generation && confident == other.confident;
}

int fitCapacity(const Work& work, size_t stagingBytes) {
  const Places one(*work.fit, 1, true, 0), many(*work.fit, 1025, true, 0);
  const size_t problem = (many.pinnedBytes - one.pinnedBytes) / 1024;
  return static_cast<int>(std::clamp<size_t>(stagingBytes / problem, 1, kLargestFits));
}

void startFit(Staging& staging, FitGraph& graph, const Chunk& chunk) {
  const FitBatch& first = *chunk.work().fit;
  const std::shared_ptr<const DeviceScheme> scheme = schemeOf(first, staging);
  const bool confident = isConfident(chunk);
  const Places places(first, chunk.count, confident,
                      fitWorkspaceBytes(scheme->view(), first.options, chunk.count, staging.device().ordinal));
  staging.reserve(places.deviceBytes, places.pinnedBytes);
  writeInputs(staging, places, chunk, confident);

  void* device = staging.onDevice();
  DeviceFitBatch batch;
  batch.count = chunk.count;
  batch.space = first.space;
  batch.options = first.options;
  batch.points = at<const double>(device, places.points);
  batch.cameras = at<const double>(device, places.cameras);
  batch.confidence = confident ? at<const float>(device, places.confidence) : nullptr;
  batch.records = at<double>(device, places.records);
  batch.arrays = at<float>(device, places.arrays);
  batch.unsolved = at<uint8_t>(device, places.unsolved);

  FitGraph::Key key;
  key.scheme = scheme;
  key.options = first.options;
  key.space = first.space;
  key.count = chunk.count;
  key.generation = staging.generation();
  key.confident = confident;
  const cudaStream_t stream = staging.stream();
  graph.launch(key, stream, [&] {
    check(cudaMemcpyAsync(device, staging.pinned(), places.in, cudaMemcpyHostToDevice, stream), "copying to a device");
    launchFit(scheme->view(), batch, at<void>(device, places.workspace), stream);
    check(cudaMemcpyAsync(at<void>(staging.pinned(), places.records), batch.records, places.out, cudaMemcpyDeviceToHost,
                          stream),
          "copying from a device");
  });
}

void finishFit(const Staging& staging, const Chunk& chunk, CpuBackend& cpu) {
  const FitBatch& first = *chunk.work().fit;
  const Places places(first, chunk.count, isConfident(chunk), 0);
  const size_t size = first.arraysPerFit();
  const double* records = at<double>(staging.pinned(), places.records);
  const float* arrays = at<float>(staging.pinned(), places.arrays);
  const uint8_t* unsolved = at<uint8_t>(staging.pinned(), places.unsolved);
  // Of each segment, problems for the CPU to solve, and those whose posterior it tells.
  std::vector<std::vector<int>> left(chunk.segments.size()), informed(left.size());
  for (size_t s = 0; s < left.size(); ++s) {
    const Segment& segment = chunk.segments[s];
    FitBatch& batch = *segment.work->fit;
    const size_t to = static_cast<size_t>(segment.first), count = static_cast<size_t>(segment.count);
    staging.copy(batch.records.data() + to * kRecordSize, records, count * kRecordSize * sizeof(double));
    staging.copy(batch.arrays.data() + to * size, arrays, count * size * sizeof(float));
    for (size_t i = 0; i < count; ++i) {
      if (unsolved[i])
        left[s].push_back(static_cast<int>(to + i));
      else if (first.options.posterior &&
               records[i * kRecordSize + kRecordFailure] == static_cast<double>(FitFailure::kNone))
        informed[s].push_back(static_cast<int>(to + i));
    }
    records += count * kRecordSize;
    arrays += count * size;
    unsolved += count;
  }
  // Nothing has been settled until here, and nothing throws from here on.
  for (size_t s = 0; s < left.size(); ++s) {
    const Segment& segment = chunk.segments[s];
    const int open = static_cast<int>(left[s].size() + informed[s].size());
    if (!left[s].empty()) solveOnCpu(segment.work, std::move(left[s]), cpu);
    if (!informed[s].empty()) tellPosteriors(segment.work, std::move(informed[s]), cpu);
    if (segment.count > open) segment.work->settle(segment.count - open, nullptr);
  }
}

}  // namespace sfm::cuda
