// Decoding on a device against the double-precision reference: the plain kernel, the tensor cores, the same bits however
// a batch is cut, normals. Compiled twice: for the shim, and for a machine with a GPU.
// Under sanitizers: edge no_columns normals
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/Normals.h"
#include "cpu/CpuKernels.h"
#include "cuda/Decode.h"
#include "test/Check.h"
#include "test/Faces.h"
#include "test/GpuDevice.h"
#include "test/SyntheticModel.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr DecodePrecision kPrecisions[] = {DecodePrecision::kStandard, DecodePrecision::kFast, DecodePrecision::kExact};
const char* const kNames[] = {"standard", "fast", "exact"};

// Bytes on the device that hold what a vector holds.
template <class T>
cuda::DeviceMemory onDevice(const std::vector<T>& values) {
  cuda::DeviceMemory memory(std::max<size_t>(1, values.size() * sizeof(T)));
  cuda::check(cudaMemcpy(memory.data(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "copying");
  // Pageable memory may still be on its way, and other streams do not wait for it.
  cuda::check(cudaDeviceSynchronize(), "copying");
  return memory;
}

std::vector<float> toHost(const cuda::DeviceMemory& memory, size_t count) {
  std::vector<float> values(count);
  cuda::check(cudaMemcpy(values.data(), memory.data(), count * sizeof(float), cudaMemcpyDeviceToHost), "copying");
  return values;
}

// Decodes faces [begin, end) in one launch.
std::vector<float> decodeOn(const cuda::DeviceBasis& basis, DecodePrecision precision, const Faces& faces, int begin,
                            int end) {
  const size_t columns = static_cast<size_t>(faces.columns), count = static_cast<size_t>(end - begin),
               row = 3 * static_cast<size_t>(basis.pointCount());
  const auto part = [&](const std::vector<float>& all, size_t size) {
    return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(begin * size),
                              all.begin() + static_cast<std::ptrdiff_t>(end * size));
  };
  const cuda::DeviceMemory coefficients = onDevice(part(faces.coefficients, columns)),
                           poses = faces.poses.empty() ? cuda::DeviceMemory() : onDevice(part(faces.poses, 12)),
                           workspace(std::max<size_t>(256, basis.workspaceBytes(precision, static_cast<int>(count))));
  // Nothing may be written beyond the last point.
  std::vector<float> vertices(count * row + 64, 42.0f);
  const cuda::DeviceMemory out = onDevice(vertices);
  const cuda::Stream stream = cuda::makeStream();
  basis.decode(precision, coefficients.as<const float>(), poses.as<const float>(), static_cast<int>(count),
               out.as<float>(), workspace.data(), stream.get());
  cuda::check(cudaStreamSynchronize(stream.get()), "decoding");
  vertices = toHost(out, vertices.size());
  for (size_t i = count * row; i < vertices.size(); ++i) CHECK_EQUAL(vertices[i], 42.0f);
  vertices.resize(count * row);
  return vertices;
}

double worstError(const DecodeBasis& basis, const Faces& faces, const std::vector<float>& actual) {
  std::vector<double> expected(actual.size());
  decodeReference(basis, faces.view(nullptr), 0, faces.count, expected.data());
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::fabs(actual[i] - expected[i]);
    worst = error <= worst ? worst : error;
    if (std::isnan(error)) return error;
  }
  return worst;
}

SyntheticModelOptions modelOptions(int side, bool half, int tangent = 20, int expressions = 8) {
  SyntheticModelOptions options;
  options.side = side;
  options.half = half;
  options.tangent = tangent;
  options.expressions = expressions;
  return options;
}

// Columns that each number of steps takes, and more than any; points that end anywhere in a panel.
struct Size {
  int side, tangent, expressions;
};
constexpr Size kSizes[] = {{1, 20, 8},  {3, 20, 8},   {4, 1, 1},     {5, 60, 4},  {7, 75, 53},
                           {13, 20, 8}, {21, 75, 53}, {12, 100, 53}, {5, 150, 53}};

// What each way may be off by, mm: as for the CPU in single precision; the promise of the tensor cores with two halves;
// and what 11 bits of a coefficient leave with one.
double tolerance(DecodePrecision precision, bool tensor, bool posed) {
  if (!tensor) return posed ? 6e-4 : 3e-4;
  return precision == DecodePrecision::kFast ? 0.1 : 1e-3;
}

}  // namespace

CASE(every_precision_agrees_with_the_reference) {
  const GpuDevice device;
  double worst[2][3] = {};
  bool tensorCores = false;
  for (const bool half : {false, true}) {
    // Faces that end anywhere in a tile.
    for (const auto& [side, tangent, expressions] : kSizes) {
      SyntheticModel synthetic(modelOptions(side, half, tangent, expressions));
      const FaceModel model(synthetic.source());
      const cuda::DeviceBasis basis(model.decodeBasis(), device.info(), device.stream());
      for (const int count : {1, 7, 8, 9, 31, 33, 70}) {
        if (side > 7 && count != 9 && count != 70) continue;
        for (const bool posed : {false, true}) {
          const Faces faces(model, count, posed);
          for (const DecodePrecision precision : kPrecisions) {
            const int p = static_cast<int>(precision);
            const bool tensor = basis.onTensorCores(precision);
            tensorCores |= tensor;
            const Scope scope("half ", half, ", side ", side, ", columns ", faces.columns, ", faces ", count,
                              ", posed ", posed, ", ", kNames[p]);
            const double error = worstError(model.decodeBasis(), faces, decodeOn(basis, precision, faces, 0, count));
            CHECK_AT_MOST(error, tolerance(precision, tensor, posed));
            if (tensor || precision == DecodePrecision::kExact) worst[posed][p] = std::max(worst[posed][p], error);
          }
        }
      }
    }
  }
  CHECK(tensorCores);
  for (int p = 0; p < 3; ++p)
    note(kNames[p], ": worst error ", worst[0][p], " mm in model space, ", worst[1][p], " mm posed at a metre");
}

// Latents at five standard deviations, all at once, and coefficients whose magnitudes lie far apart or far off.
CASE(the_tensor_cores_hold_their_promise_at_the_edge) {
  const GpuDevice device;
  SyntheticModel synthetic(modelOptions(7, true, 75, 53));
  const FaceModel model(synthetic.source());
  const cuda::DeviceBasis basis(model.decodeBasis(), device.info(), device.stream());
  Faces faces(model, 40, false);
  Random random(11);
  for (int face = 0; face < 40; ++face)
    for (int c = 0; c < faces.columns; ++c) {
      float& value = faces.coefficients[static_cast<size_t>(face * faces.columns + c)];
      // 0.3 is the expressions' standard deviation, 1 / sqrt(75) that of a point on the sphere.
      const double deviation = c < 75 ? 1 / std::sqrt(75.0) : 0.3;
      value = static_cast<float>((face < 20 ? 5 : random.uniform(0, 5)) * deviation * (random.chance(0.5) ? 1 : -1));
    }
  const double worst =
      worstError(model.decodeBasis(), faces, decodeOn(basis, DecodePrecision::kStandard, faces, 0, 40));
  CHECK_AT_MOST(worst, 1e-3);
  note("worst error ", worst, " mm");

  // Scaled by any power of two, the deformation scales along: nothing overflows, nothing is lost.
  for (const double scale : {0x1p-60, 0x1p-20, 0x1p20}) {
    Faces scaled = faces;
    for (float& value : scaled.coefficients) value = static_cast<float>(value * scale);
    const double error =
        worstError(model.decodeBasis(), scaled, decodeOn(basis, DecodePrecision::kStandard, scaled, 0, 40));
    CHECK_AT_MOST(error, 1e-3 * std::max(1.0, scale));
  }
  Faces still = faces;
  std::fill(still.coefficients.begin(), still.coefficients.end(), 0.0f);
  const std::vector<float> mean = decodeOn(basis, DecodePrecision::kStandard, still, 0, 40);
  for (size_t i = 0; i < mean.size(); ++i) CHECK_EQUAL(mean[i], synthetic.mean()[i % synthetic.mean().size()]);
}

CASE(bits_do_not_depend_on_batch_position_or_size) {
  const GpuDevice device;
  for (const bool half : {false, true}) {
    SyntheticModel synthetic(modelOptions(14, half, 75, 53));
    const FaceModel model(synthetic.source());
    const cuda::DeviceBasis basis(model.decodeBasis(), device.info(), device.stream());
    const size_t row = 3 * static_cast<size_t>(model.vertexCount());
    for (const DecodePrecision precision : kPrecisions) {
      const Faces faces(model, 70, true);
      const std::vector<float> whole = decodeOn(basis, precision, faces, 0, 70);
      for (const int size : {1, 5, 16, 33}) {
        for (int begin = size == 1 ? 60 : 0; begin < 70; begin += size) {
          const int end = std::min(70, begin + size);
          const std::vector<float> part = decodeOn(basis, precision, faces, begin, end);
          CHECK(std::memcmp(part.data(), &whole[row * static_cast<size_t>(begin)], part.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

CASE(a_model_of_no_columns_decodes_to_its_mean) {
  const GpuDevice device;
  SyntheticModel synthetic(modelOptions(5, false, 3, 0));
  std::fill(synthetic.identity().begin(), synthetic.identity().end(), 0.0f);
  const FaceModel model(synthetic.source());
  const cuda::DeviceBasis basis(model.decodeBasis(), device.info(), device.stream());
  const std::vector<float> vertices = decodeOn(basis, DecodePrecision::kStandard, Faces(model, 3, false), 0, 3);
  for (size_t i = 0; i < vertices.size(); ++i) CHECK_EQUAL(vertices[i], synthetic.mean()[i % 75]);
}

CASE(normals_are_those_of_the_cpu) {
  const GpuDevice device;
  SyntheticModel synthetic(modelOptions(9, false));
  // A vertex that no triangle has, and triangles without area.
  std::vector<int32_t>& triangles = synthetic.triangles();
  for (size_t t = 0; t < triangles.size(); t += 3)
    if (triangles[t] == 40 || triangles[t + 1] == 40 || triangles[t + 2] == 40)
      triangles[t] = triangles[t + 1] = triangles[t + 2] = 7;
  const FaceModel model(synthetic.source());
  const Faces faces(model, 3, true);
  std::vector<float> vertices(static_cast<size_t>(faces.count) * 3 * static_cast<size_t>(model.vertexCount()));
  const std::vector<float> decoded = decodeOn(cuda::DeviceBasis(model.decodeBasis(), device.info(), device.stream()),
                                              DecodePrecision::kExact, faces, 0, 3);
  const cuda::DeviceMemory on = onDevice(decoded), out(decoded.size() * sizeof(float));
  const cuda::DeviceTriangles mesh(model, device.stream());
  mesh.normals(on.as<const float>(), 3, out.as<float>(), device.stream());
  cuda::check(cudaStreamSynchronize(device.stream()), "normals");
  const std::vector<float> actual = toHost(out, decoded.size());
  std::vector<float> expected(decoded.size() / 3), scratch(triangles.size());
  for (size_t face = 0; face < 3; ++face) {
    vertexNormals(model, &decoded[face * expected.size()], scratch.data(), expected.data());
    for (size_t i = 0; i < expected.size(); ++i) CHECK_NEAR(actual[face * expected.size() + i], expected[i], 1e-5);
  }
}

int main(int argc, char** argv) {
  if (!haveGpu()) return 1;
  return runCases(argc, argv);
}
