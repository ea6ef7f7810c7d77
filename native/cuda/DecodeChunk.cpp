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

  Places(const Chunk& chunk, bool posed, size_t workspaceBytes) {
    const DecodeBatch& batch = *chunk.work().decode;
    const size_t count = static_cast<size_t>(chunk.count), row = 3 * static_cast<size_t>(batch.basis().pointCount);
    Layout layout;
    coefficients = layout.add<float>(count * static_cast<size_t>(batch.basis().columnCount));
    poses = layout.add<float>(posed ? 12 * count : 0);
    in = layout.bytes();
    vertices = layout.add<float>(count * row);
    normals = layout.add<float>(batch.normals.size() > 0 ? count * row : 0);
    out = layout.bytes() - vertices;
    pinnedBytes = layout.bytes();
    workspace = layout.add<char>(workspaceBytes);
    deviceBytes = layout.bytes();
  }
};

bool isPosed(const Chunk& chunk) {
  return std::any_of(chunk.segments.begin(), chunk.segments.end(),
                     [](const Segment& segment) { return !segment.work->decode->poses.empty(); });
}

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

// Faces without a pose among faces with one: the identity's, which changes nothing.
void writePoses(const Segment& segment, float* to) {
  const DecodeBatch& batch = *segment.work->decode;
  if (!batch.poses.empty()) {
    std::memcpy(to, &batch.poses[12 * static_cast<size_t>(segment.first)],
                12 * sizeof(float) * static_cast<size_t>(segment.count));
    return;
  }
  for (int i = 0; i < segment.count; ++i, to += 12)
    for (int c = 0; c < 12; ++c) to[c] = c == 0 || c == 4 || c == 8 ? 1.0f : 0.0f;
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
  const bool posed = isPosed(chunk), normals = first.normals.size() > 0;
  const std::shared_ptr<const DeviceTriangles> triangles = normals ? trianglesOf(*first.model, staging) : nullptr;
  const Places places(chunk, posed, basis->workspaceBytes(first.precision, chunk.count));
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
    writePoses(segment, poses);
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
  const Places places(chunk, isPosed(chunk), 0);
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
