#include "cuda/Decode.h"

#include <algorithm>

#include "cuda/DecodeKernels.cuh"
#include "cuda/Launch.cuh"

namespace sfm::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPrepareThreads = 16 * kTileColumns;

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
  for (const int steps : {4, 8, 12})
    if (columns <= 16 * steps) return steps;
  return 0;
}

template <int kSteps>
bool allowTensorCores(size_t sharedBytes) {
  using Twice = TensorShared<kSteps, 2>;
  using Once = TensorShared<kSteps, 1>;
  static_assert(sizeof(Once) <= sizeof(Twice) && sizeof(Twice) <= 99 * 1024);  // what all but Turing have
  if (sizeof(Twice) > sharedBytes) return false;
  allowShared(decodeOnTensorCores<kSteps, 2>, sizeof(Twice));
  allowShared(decodeOnTensorCores<kSteps, 1>, sizeof(Once));
  return true;
}

bool allowTensorCores(int steps, size_t sharedBytes) {
  switch (steps) {
    case 4:
      return allowTensorCores<4>(sharedBytes);
    case 8:
      return allowTensorCores<8>(sharedBytes);
    case 12:
      return allowTensorCores<12>(sharedBytes);
    default:
      return false;
  }
}

// Whole tiles of faces: what the last one lacks is zero.
int tiledFaces(int count) { return (count + kTileFaces - 1) / kTileFaces * kTileFaces; }

int halves(DecodePrecision precision) { return precision == DecodePrecision::kFast ? 1 : 2; }

}  // namespace

DeviceBasis::DeviceBasis(const DecodeBasis& basis, const DeviceInfo& device, cudaStream_t stream)
    : pointCount_(basis.pointCount),
      panelCount_(basis.panelCount),
      columnCount_(basis.columnCount),
      half_(basis.isHalf()),
      steps_(basis.isHalf() ? stepsFor(basis.columnCount) : 0),
      multiprocessors_(device.multiprocessors),
      panels_(half_ ? upload(basis.halves.data(), basis.halves.size(), stream)
                    : upload(basis.floats.data(), basis.floats.size(), stream)),
      mean_(upload(basis.mean.data(), basis.mean.size(), stream)) {
  if (steps_ > 0 && basis.columnCount > 0 && allowTensorCores(steps_, device.sharedBytes)) {
    const long long count = 3LL * panelCount_ * steps_ * 32;
    fragments_ = DeviceMemory(static_cast<size_t>(count) * 16);
    launch("arrangeBasis", arrangeBasis, {blocks(count, kThreads), kThreads}, stream, panels_.as<const uint16_t>(),
           columnCount_, steps_, count, fragments_.as<uint4>());
  }
  check(cudaStreamSynchronize(stream), "copying a model to a device");
}

size_t DeviceBasis::workspaceBytes(DecodePrecision precision, int count) const {
  if (!onTensorCores(precision)) return 0;
  const size_t faces = static_cast<size_t>(tiledFaces(count));
  return roundUp(faces * steps_ * 32 * halves(precision)) + roundUp(faces * kFaceRecord * sizeof(float));
}

void DeviceBasis::decode(DecodePrecision precision, const float* coefficients, const float* poses, int count,
                         float* vertices, void* workspace, cudaStream_t stream) const {
  if (count == 0 || panelCount_ == 0) return;
  if (onTensorCores(precision)) {
    const int tiled = tiledFaces(count);
    auto* fragments = static_cast<uint4*>(workspace);
    auto* records = reinterpret_cast<float*>(static_cast<char*>(workspace) +
                                             roundUp(static_cast<size_t>(tiled) * steps_ * 32 * halves(precision)));
    launch("prepareFaces", precision == DecodePrecision::kFast ? prepareFaces<1> : prepareFaces<2>,
           {blocks(tiled, kTileColumns), kPrepareThreads}, stream,
           FacesSource{coefficients, poses, count, columnCount_}, steps_, fragments, records);
    switch (steps_) {
      case 4:
        return decodeFragments<4>(precision, fragments, records, count, vertices, stream);
      case 8:
        return decodeFragments<8>(precision, fragments, records, count, vertices, stream);
      default:
        return decodeFragments<12>(precision, fragments, records, count, vertices, stream);
    }
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

template <int kSteps>
void DeviceBasis::decodeFragments(DecodePrecision precision, const void* coefficients, const float* records, int count,
                                  float* vertices, cudaStream_t stream) const {
  const TensorDecode task{fragments_.as<const uint4>(),
                          mean_.as<const float>(),
                          static_cast<const uint4*>(coefficients),
                          records,
                          vertices,
                          pointCount_,
                          panelCount_,
                          count};
  const long long items =
      static_cast<long long>(blocks(panelCount_, tensorWarps(kSteps))) * (tiledFaces(count) / kTileFaces);
  // A block for each multiprocessor, which its registers fill.
  const LaunchShape shape{
      static_cast<unsigned>(std::min<long long>(items, multiprocessors_)), 32 * tensorWarps(kSteps),
      precision == DecodePrecision::kFast ? sizeof(TensorShared<kSteps, 1>) : sizeof(TensorShared<kSteps, 2>)};
  launch("decodeOnTensorCores",
         precision == DecodePrecision::kFast ? decodeOnTensorCores<kSteps, 1> : decodeOnTensorCores<kSteps, 2>, shape,
         stream, task);
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
