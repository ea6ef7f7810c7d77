#include "cuda/DecodeChunk.h"

#include <algorithm>
#include <cstring>

#include "cuda/Layout.h"

namespace sfm::cuda {

namespace {

enum Copies { kBasisCopy, kTrianglesCopy };

// Where a chunk's numbers are. What goes in and what comes out lie at the same places on device and host, each in one
// piece, so that a copy moves all of it.
struct Places {
  size_t coefficients, poses, in;  // `in`: bytes of all that goes in
  size_t vertices, normals, out;   // `out`: bytes of all that comes out, from `vertices` on
  size_t workspace;                // on the device alone
  size_t pinnedBytes, deviceBytes;

  Places(const Chunk& chunk, size_t workspaceBytes) {
    const DecodeBatch& batch = *chunk.work().decode;
    const size_t count = static_cast<size_t>(chunk.count), row = 3 * static_cast<size_t>(batch.basis().pointCount);
    Layout layout;
    coefficients = layout.add<float>(count * static_cast<size_t>(batch.basis().columnCount));
    poses = layout.add<float>(batch.poses.empty() ? 0 : 12 * count);
    in = layout.bytes();
    vertices = layout.add<float>(count * row);
    normals = layout.add<float>(batch.normals.size() > 0 ? count * row : 0);
    out = layout.bytes() - vertices;
    pinnedBytes = layout.bytes();
    workspace = layout.add<char>(workspaceBytes);
    deviceBytes = layout.bytes();
  }
};

std::shared_ptr<const DeviceBasis> basisOf(const DecodeBatch& batch, const Staging& staging) {
  const DeviceCopies& copies = batch.scheme ? batch.scheme->deviceCopies : batch.model->deviceCopies();
  return copies.of<const DeviceBasis>(staging.device().ordinal, kBasisCopy, [&] {
    return std::make_shared<DeviceBasis>(batch.basis(), staging.device(), staging.stream());
  });
}

std::shared_ptr<const DeviceTriangles> trianglesOf(const FaceModel& model, const Staging& staging) {
  return model.deviceCopies().of<const DeviceTriangles>(staging.device().ordinal, kTrianglesCopy, [&] {
    return std::make_shared<DeviceTriangles>(model, staging.stream());
  });
}

}  // namespace

int decodeCapacity(const Work& work, size_t stagingBytes) {
  const DecodeBatch& batch = *work.decode;
  const size_t face =
      sizeof(float) * (static_cast<size_t>(batch.basis().columnCount) + 12 +
                       (batch.normals.size() > 0 ? 6 : 3) * static_cast<size_t>(batch.basis().pointCount));
  return static_cast<int>(std::clamp<size_t>(stagingBytes / face, 1, DeviceBasis::kLargestLaunch));
}

void startDecode(Staging& staging, const Chunk& chunk) {
  const DecodeBatch& first = *chunk.work().decode;
  const std::shared_ptr<const DeviceBasis> basis = basisOf(first, staging);
  const bool posed = !first.poses.empty(), normals = first.normals.size() > 0;
  const std::shared_ptr<const DeviceTriangles> triangles = normals ? trianglesOf(*first.model, staging) : nullptr;
  const Places places(chunk, basis->workspaceBytes(first.precision, chunk.count));
  staging.reserve(places.deviceBytes, places.pinnedBytes);

  const size_t columns = static_cast<size_t>(basis->columnCount());
  float* coefficients = at<float>(staging.pinned(), places.coefficients);
  float* poses = at<float>(staging.pinned(), places.poses);
  for (const Segment& segment : chunk.segments) {
    const size_t count = static_cast<size_t>(segment.count);
    staging.copy(coefficients, segment.work->decode->coefficients.data() + static_cast<size_t>(segment.first) * columns,
                 count * columns * sizeof(float));
    coefficients += count * columns;
    if (!posed) continue;
    std::memcpy(poses, &segment.work->decode->poses[12 * static_cast<size_t>(segment.first)],
                12 * count * sizeof(float));
    poses += 12 * count;
  }

  void* device = staging.onDevice();
  const cudaStream_t stream = staging.stream();
  check(cudaMemcpyAsync(device, staging.pinned(), places.in, cudaMemcpyHostToDevice, stream), "copying to a device");
  float* vertices = at<float>(device, places.vertices);
  basis->decode(first.precision, at<float>(device, places.coefficients),
                posed ? at<float>(device, places.poses) : nullptr, chunk.count, vertices,
                at<void>(device, places.workspace), stream);
  if (triangles) triangles->normals(vertices, chunk.count, at<float>(device, places.normals), stream);
  check(cudaMemcpyAsync(at<void>(staging.pinned(), places.vertices), vertices, places.out, cudaMemcpyDeviceToHost,
                        stream),
        "copying from a device");
}

void finishDecode(const Staging& staging, const Chunk& chunk) {
  const Places places(chunk, 0);
  const size_t row = 3 * static_cast<size_t>(chunk.work().decode->basis().pointCount);
  const float* vertices = at<float>(staging.pinned(), places.vertices);
  const float* normals = at<float>(staging.pinned(), places.normals);
  for (const Segment& segment : chunk.segments) {
    DecodeBatch& batch = *segment.work->decode;
    const size_t to = static_cast<size_t>(segment.first) * row, size = static_cast<size_t>(segment.count) * row;
    staging.copy(batch.vertices + to, vertices, size * sizeof(float));
    vertices += size;
    if (batch.normals.size() == 0) continue;
    staging.copy(batch.normals.data() + to, normals, size * sizeof(float));
    normals += size;
  }
  chunk.settle(nullptr);
}

}  // namespace sfm::cuda
