#include "cuda/Decode.h"

#include <algorithm>
#include <type_traits>

#include "cuda/DecodeKernels.cuh"
#include "cuda/Launch.cuh"

namespace sfm::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPrepareThreads = 16 * kGroupFaces;

constexpr unsigned blocks(long long count, long long each) { return static_cast<unsigned>((count + each - 1) / each); }

size_t roundUp(size_t bytes) { return (bytes + 255) / 256 * 256; }

template <class T>
DeviceMemory upload(const T* from, size_t count, cudaStream_t stream) {
  DeviceMemory to(count * sizeof(T));
  if (count > 0)
    check(cudaMemcpyAsync(to.data(), from, count * sizeof(T), cudaMemcpyHostToDevice, stream), "copying to a device");
  return to;
}

// The numbers of steps that there are kernels for.
int stepsFor(int columns) {
  for (const int steps : {4, 8, 12, 16})
    if (columns <= 16 * steps) return steps;
  return 0;
}

// Calls body(kSteps, kHalves, kPosed), as types that hold them.
template <class Body>
void withKernel(int steps, int halves, bool posed, Body body) {
  const auto withPosed = [&](auto kSteps, auto kHalves) {
    posed ? body(kSteps, kHalves, std::true_type{}) : body(kSteps, kHalves, std::false_type{});
  };
  const auto withHalves = [&](auto kSteps) {
    halves == 1 ? withPosed(kSteps, std::integral_constant<int, 1>{})
                : withPosed(kSteps, std::integral_constant<int, 2>{});
  };
  switch (steps) {
    case 4:
      return withHalves(std::integral_constant<int, 4>{});
    case 8:
      return withHalves(std::integral_constant<int, 8>{});
    case 12:
      return withHalves(std::integral_constant<int, 12>{});
    default:
      return withHalves(std::integral_constant<int, 16>{});
  }
}

// Groups of faces that a block has in shared memory at a time: the more, the less its warps wait for each other.
template <int kSteps, int kHalves>
int stageGroups(size_t sharedBytes) {
  int groups = 8;
  while (groups > 0 && TensorShared<kSteps, kHalves>::bytes(groups) > sharedBytes) groups /= 2;
  return groups;
}

// False where the device's shared memory does not do.
bool allowTensorCores(int steps, size_t sharedBytes) {
  bool enough = true;
  for (const int halves : {1, 2})
    for (const bool posed : {false, true})
      withKernel(steps, halves, posed, [&](auto kSteps, auto kHalves, auto kPosed) {
        const int groups = stageGroups<kSteps, kHalves>(sharedBytes);
        enough &= groups > 0;
        if (groups > 0)
          allowShared(decodeOnTensorCores<kSteps, kHalves, kPosed>, TensorShared<kSteps, kHalves>::bytes(groups));
      });
  return enough;
}

// Whole groups of faces: what the last one lacks is zero.
int groupsOf(int count) { return (count + kGroupFaces - 1) / kGroupFaces; }

int halves(DecodePrecision precision) { return precision == DecodePrecision::kFast ? 1 : 2; }

}  // namespace

DeviceBasis::DeviceBasis(const DecodeBasis& basis, const DeviceInfo& device, cudaStream_t stream)
    : pointCount_(basis.pointCount),
      panelCount_(basis.panelCount),
      columnCount_(basis.columnCount),
      half_(basis.isHalf()),
      steps_(basis.isHalf() ? stepsFor(basis.columnCount) : 0),
      multiprocessors_(device.multiprocessors),
      sharedBytes_(device.sharedBytes),
      panels_(half_ ? upload(basis.halves.data(), basis.halves.size(), stream)
                    : upload(basis.floats.data(), basis.floats.size(), stream)),
      mean_(upload(basis.mean.data(), basis.mean.size(), stream)) {
  if (steps_ > 0 && columnCount_ > 0 && allowTensorCores(steps_, sharedBytes_)) {
    const int stripPoints = stripTiles(steps_) * kTilePoints;
    const long long tiles = static_cast<long long>(blocks(pointCount_, stripPoints)) * stripTiles(steps_);
    const long long count = tiles * 3 * (steps_ / 2) * 32;
    fragments_ = DeviceMemory(static_cast<size_t>(count) * sizeof(uint4));
    launch("arrangeBasis", arrangeBasis, {blocks(count, kThreads), kThreads}, stream, panels_.as<const uint16_t>(),
           panelCount_, columnCount_, steps_, count, fragments_.as<uint4>());
  }
  check(cudaStreamSynchronize(stream), "copying a model to a device");
}

// Faces as the tensor cores take them, in the workspace.
struct DeviceBasis::Prepared {
  Prepared(void* workspace, int faceCount, bool isPosed, int steps, int halves)
      : count(faceCount), posed(isPosed), fragments(static_cast<uint4*>(workspace)) {
    const size_t groups = static_cast<size_t>(groupsOf(count));
    const size_t fragmentBytes = roundUp(groups * static_cast<size_t>(steps * halves) * 32 * sizeof(uint4));
    records = reinterpret_cast<float*>(static_cast<char*>(workspace) + fragmentBytes);
    bytes = fragmentBytes + roundUp(groups * kGroupFaces * kFaceRecord * sizeof(float));
  }
  int count;
  bool posed;
  uint4* fragments;
  float* records;
  size_t bytes;
};

size_t DeviceBasis::workspaceBytes(DecodePrecision precision, int count) const {
  return onTensorCores(precision) ? Prepared(nullptr, count, false, steps_, halves(precision)).bytes : 0;
}

void DeviceBasis::decode(DecodePrecision precision, const float* coefficients, const float* poses, int count,
                         float* vertices, void* workspace, cudaStream_t stream) const {
  if (count == 0 || panelCount_ == 0) return;
  if (onTensorCores(precision)) {
    const Prepared faces(workspace, count, poses != nullptr, steps_, halves(precision));
    launch("prepareFaces", halves(precision) == 1 ? prepareFaces<1> : prepareFaces<2>,
           {static_cast<unsigned>(groupsOf(count)), kPrepareThreads}, stream,
           FacesSource{coefficients, poses, count, columnCount_}, steps_, faces.fragments, faces.records);
    return onTensorCores(precision, faces, vertices, stream);
  }
  const LaunchShape shape{dim3(blocks(panelCount_, 2 * kPlainWarps), blocks(count, kPlainFaces)), 32 * kPlainWarps};
  const auto plain = [&](auto value) {
    using Value = decltype(value);
    launch("decodePlain", decodePlain<Value>, shape, stream,
           PlainDecode<Value>{panels_.as<const Value>(), mean_.as<const float>(), coefficients, poses, vertices,
                              pointCount_, panelCount_, columnCount_, count});
  };
  half_ ? plain(uint16_t{}) : plain(float{});
}

void DeviceBasis::onTensorCores(DecodePrecision precision, const Prepared& faces, float* vertices,
                                cudaStream_t stream) const {
  withKernel(steps_, halves(precision), faces.posed, [&](auto kSteps, auto kHalves, auto kPosed) {
    onTensorCores<kSteps, kHalves, kPosed>(faces, vertices, stream);
  });
}

template <int kSteps, int kHalves, bool kPosed>
void DeviceBasis::onTensorCores(const Prepared& faces, float* vertices, cudaStream_t stream) const {
  using Shared = TensorShared<kSteps, kHalves>;
  const int groups = stageGroups<kSteps, kHalves>(sharedBytes_);
  const long long items =
      static_cast<long long>(blocks(pointCount_, Shared::kStripPoints * kTensorWarps)) * groupsOf(faces.count);
  // A block for each multiprocessor, which its registers fill.
  const LaunchShape shape{static_cast<unsigned>(std::min<long long>(items, multiprocessors_)), 32 * kTensorWarps,
                          Shared::bytes(groups)};
  launch("decodeOnTensorCores", decodeOnTensorCores<kSteps, kHalves, kPosed>, shape, stream,
         TensorDecode{fragments_.as<const uint4>(), mean_.as<const float>(), faces.fragments, faces.records, vertices,
                      pointCount_, faces.count, groups});
}

DeviceTriangles::DeviceTriangles(const FaceModel& model, cudaStream_t stream)
    : vertexCount_(model.vertexCount()),
      triangles_(upload(model.triangles().data(), model.triangles().size(), stream)),
      adjacency_(upload(model.adjacency().data(), model.adjacency().size(), stream)),
      adjacencyStart_(upload(model.adjacencyStart().data(), model.adjacencyStart().size(), stream)) {
  check(cudaStreamSynchronize(stream), "copying a model to a device");
}

void DeviceTriangles::normals(const float* vertices, int count, float* normals, cudaStream_t stream) const {
  if (count == 0) return;
  const LaunchShape shape{dim3(blocks(vertexCount_, kThreads), static_cast<unsigned>(count)), kThreads};
  launch("vertexNormals", vertexNormals, shape, stream,
         NormalsTask{triangles_.as<const int32_t>(), adjacency_.as<const int32_t>(),
                     adjacencyStart_.as<const int32_t>(), vertices, normals, vertexCount_});
}

}  // namespace sfm::cuda
