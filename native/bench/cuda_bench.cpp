// What the CUDA backend reaches on this machine's first device, as JSON on standard output: bandwidth, decodes, fits.
//   cuda_bench [--part PART] [--problems FILE]
//     PART: decode, fit68 or fit478; all by default. FILE: where the fits' problems are written, for bench/torch/fit.py
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "bench/DefaultSize.h"
#include "bench/Json.h"
#include "bench/Problems.h"
#include "bench/Timing.h"
#include "core/Batch.h"
#include "cpu/CpuKernels.h"
#include "cuda/CudaBackend.h"
#include "cuda/Decode.h"
#include "cuda/DeviceScheme.h"
#include "cuda/FitKernel.h"
#include "test/Batches.h"

using namespace sfm;
using namespace sfm::bench;

namespace {

// More than any second-level cache holds: what is read and written in turn is never found there.
constexpr size_t kRotation = size_t{512} << 20;

void addTimes(Json& json, const Times& times) {
  json.key("milliseconds").open('{');
  json.member("median", times.median).member("min", times.least).member("max", times.most);
  json.member("runs", static_cast<double>(times.runs)).close('}');
}

// --- The machine's own limits -------------------------------------------------------------------------------------------

struct Bandwidth {
  double write = 0, copy = 0;  // GB/s; a copy counts what is read and what is written
};

Bandwidth measureBandwidth(cudaStream_t stream) {
  const size_t bytes = size_t{1} << 30;
  const cuda::DeviceMemory from(bytes), to(bytes);
  cuda::check(cudaMemsetAsync(from.data(), 1, bytes, stream), "filling");
  const Times write = timeOnDevice(stream, 30, [&](int i) {
    cuda::check(cudaMemsetAsync(i % 2 ? from.data() : to.data(), i, bytes, stream), "filling");
  });
  const Times copy = timeOnDevice(stream, 30, [&](int) {
    cuda::check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream), "copying");
  });
  return {static_cast<double>(bytes) / write.median / 1e6, 2 * static_cast<double>(bytes) / copy.median / 1e6};
}

// --- Decoding -----------------------------------------------------------------------------------------------------------

constexpr const char* kPrecisionNames[] = {"standard", "fast", "exact"};

std::vector<float> randomCoefficients(int faces, int columns) {
  test::Random random(7);
  std::vector<float> coefficients(static_cast<size_t>(faces) * static_cast<size_t>(columns));
  for (size_t i = 0; i < coefficients.size(); ++i)
    coefficients[i] =
        static_cast<float>(static_cast<int>(i) % columns < kLatents ? random.normal() / std::sqrt(kLatents)
                                                                    : 0.3 * std::fabs(random.normal()));
  return coefficients;
}

// The largest error of the first faces, mm.
double worstError(const DecodeBasis& basis, const std::vector<float>& coefficients, const cuda::DeviceMemory& vertices,
                  int faces) {
  const size_t size = static_cast<size_t>(faces) * static_cast<size_t>(basis.pointCount) * 3;
  std::vector<float> actual(size);
  std::vector<double> expected(size);
  cuda::check(cudaMemcpy(actual.data(), vertices.data(), size * sizeof(float), cudaMemcpyDeviceToHost), "copying");
  decodeReference(basis, {coefficients.data(), nullptr, nullptr}, 0, faces, expected.data());
  double worst = 0;
  for (size_t i = 0; i < size; ++i) worst = std::max(worst, std::fabs(static_cast<double>(actual[i]) - expected[i]));
  return worst;
}

void benchDecode(Json& json, const cuda::DeviceInfo& device, const Bandwidth& bandwidth, cudaStream_t stream) {
  const auto model = defaultSizeModel();
  const DecodeBasis& basis = model->decodeBasis();
  const cuda::DeviceBasis onDevice(basis, device, stream);
  const size_t columns = static_cast<size_t>(basis.columnCount), row = 3 * static_cast<size_t>(kVertices);
  json.key("decode").open('[');
  for (const int precision : {0, 1, 2}) {
    for (const int batch : {1, 8, 64, 512, 4096}) {
      const auto how = static_cast<DecodePrecision>(precision);
      const size_t count = static_cast<size_t>(batch);
      const size_t bytes = count * (columns + row) * sizeof(float);
      const size_t turns = std::clamp<size_t>(kRotation / bytes, 1, 1024);
      std::vector<float> coefficients = randomCoefficients(batch, basis.columnCount);
      const cuda::DeviceMemory in(turns * count * columns * sizeof(float)), out(turns * count * row * sizeof(float)),
          workspace(std::max<size_t>(256, onDevice.workspaceBytes(how, batch)));
      for (size_t turn = 0; turn < turns; ++turn)
        cuda::check(cudaMemcpyAsync(in.as<float>() + turn * count * columns, coefficients.data(),
                                    coefficients.size() * sizeof(float), cudaMemcpyHostToDevice, stream),
                    "copying");
      const Times times = timeOnDevice(stream, batch < 512 ? 200 : 50, [&](int i) {
        const size_t turn = static_cast<size_t>(i) % turns;
        onDevice.decode(how, in.as<float>() + turn * count * columns, nullptr, batch,
                        out.as<float>() + turn * count * row, workspace.data(), stream);
      });
      const double gigabytes = static_cast<double>(count * row * sizeof(float)) / times.median / 1e6;
      json.open('{').member("precision", std::string(kPrecisionNames[precision])).member("batch", batch);
      addTimes(json, times);
      json.member("facesPerSecond", batch * 1e3 / times.median).member("writtenGBps", gigabytes);
      json.member("ofWriteBandwidth", gigabytes / bandwidth.write)
          .member("ofCopyBandwidth", gigabytes / bandwidth.copy);
      json.member("worstErrorMm", worstError(basis, coefficients, out, std::min(batch, 8))).close('}');
      std::fprintf(stderr, "decode %s, %d faces: %.4f ms, %.0f GB/s\n", kPrecisionNames[precision], batch, times.median,
                   gigabytes);
    }
  }
  json.close(']');
}

// --- Fits ---------------------------------------------------------------------------------------------------------------

// Problems on the device, for launches without copies.
struct DeviceProblems {
  DeviceProblems(const FitBatch& batch, int device)
      : scheme(*batch.model, batch.scheme->basis, nullptr),
        points(batch.points.size() * sizeof(double)),
        cameras(batch.cameras.size() * sizeof(double)),
        records(batch.records.size() * sizeof(double)),
        arrays(batch.arrays.size() * sizeof(float)),
        unsolved(static_cast<size_t>(batch.count)),
        workspace(std::max<size_t>(256, cuda::fitWorkspaceBytes(scheme.view(), batch.options, batch.count, device))) {
    cuda::check(cudaMemcpy(points.data(), batch.points.data(), points.bytes(), cudaMemcpyHostToDevice), "copying");
    cuda::check(cudaMemcpy(cameras.data(), batch.cameras.data(), cameras.bytes(), cudaMemcpyHostToDevice), "copying");
    // Pageable memory may still be on its way, and other streams do not wait for it.
    cuda::check(cudaDeviceSynchronize(), "copying");
    view.count = batch.count;
    view.space = batch.space;
    view.options = batch.options;
    view.points = points.as<const double>();
    view.cameras = cameras.as<const double>();
    view.records = records.as<double>();
    view.arrays = arrays.as<float>();
    view.unsolved = unsolved.as<uint8_t>();
  }
  cuda::DeviceScheme scheme;
  cuda::DeviceMemory points, cameras, records, arrays, unsolved, workspace;
  cuda::DeviceFitBatch view;
};

void benchFit(Json& json, const cuda::DeviceInfo& device, int landmarks, const std::string& problemsFile,
              cudaStream_t stream) {
  Problems problems(landmarks);
  const auto sizes = cuda::fitSizes(*problems.scene.model, problems.scene.basis());
  if (!cuda::supportsFit(sizes, {}, ObservationSpace::kImage, device.ordinal)) {
    std::fprintf(stderr, "fit, %d landmarks: no kernel\n", landmarks);
    return;
  }
  const auto cpu = std::make_shared<CpuBackend>(*cpuKernels().front(), ThreadPool::availableParallelism(), 1000);
  for (const int batch : {1, 256, 4096, 16384, 65536}) {
    const std::shared_ptr<FitBatch> fits = problems.batch(batch);
    const DeviceProblems on(*fits, device.ordinal);
    const Times times = timeOnDevice(stream, batch < 16384 ? 20 : 5, [&](int) {
      cuda::launchFit(on.scheme.view(), on.view, on.workspace.data(), stream);
    });
    std::vector<double> records(fits->records.size());
    std::vector<uint8_t> unsolved(static_cast<size_t>(batch));
    cuda::check(cudaMemcpy(records.data(), on.records.data(), on.records.bytes(), cudaMemcpyDeviceToHost), "copying");
    cuda::check(cudaMemcpy(unsolved.data(), on.unsolved.data(), unsolved.size(), cudaMemcpyDeviceToHost), "copying");
    double converged = 0, left = 0, cost = 0, iterations = 0;
    for (size_t i = 0; i < unsolved.size(); ++i) {
      const double* record = &records[i * kRecordSize];
      left += unsolved[i] != 0;
      if (unsolved[i]) continue;
      converged += record[kRecordStatus] == static_cast<double>(FitStatus::kConverged);
      cost += record[kRecordFinalCost];
      iterations += record[kRecordIterations];
    }
    // The same from the host and back, the CPU's share included.
    const auto backend = cuda::makeBackend({device}, cpu, 1000);
    const Times host = timeOnHost(batch < 4096 ? 20 : 5, [&] { test::run(*backend, fits); });
    json.open('{').member("landmarks", landmarks).member("batch", batch);
    addTimes(json, times);
    json.member("fitsPerSecond", batch * 1e3 / times.median)
        .member("convergedPerSecond", converged * 1e3 / times.median);
    json.member("converged", converged).member("leftToCpu", left).member("meanCost", cost / (batch - left));
    json.member("meanIterations", iterations / (batch - left));
    json.member("hostToHostMilliseconds", host.median).member("hostToHostFitsPerSecond", batch * 1e3 / host.median);
    json.close('}');
    std::fprintf(stderr, "fit, %d landmarks, %d faces: %.3f ms, %.0f a second; from the host %.3f ms\n", landmarks,
                 batch, times.median, batch * 1e3 / times.median, host.median);
    if (batch == 4096 && !problemsFile.empty()) problems.write(problemsFile, *fits);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string problemsFile, part;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--problems") == 0) problemsFile = argv[i + 1];
    if (std::strcmp(argv[i], "--part") == 0) part = argv[i + 1];
  }
  const auto wanted = [&part](const std::string& name) { return part.empty() || part == name; };
  const cuda::Devices devices = cuda::findDevices();
  if (devices.usable.empty()) {
    std::fprintf(stderr, "no CUDA device that this build can use%s%s\n", devices.trouble.empty() ? "" : ": ",
                 devices.trouble.c_str());
    return 2;
  }
  const cuda::DeviceInfo device = devices.usable.front();
  try {
    const cuda::OnDevice on(device.ordinal);
    const cuda::Stream stream = cuda::makeStream();
    const Bandwidth bandwidth = measureBandwidth(stream.get());
    std::fprintf(stderr, "%s: writes %.0f GB/s, copies %.0f GB/s\n", device.name.c_str(), bandwidth.write,
                 bandwidth.copy);
    Json json;
    json.open('{').key("device").open('{');
    json.member("model", device.name).member("memory", static_cast<double>(device.memory));
    json.member("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
    json.member("multiprocessors", device.multiprocessors).close('}');
    json.key("bandwidthGBps").open('{').member("write", bandwidth.write).member("copy", bandwidth.copy).close('}');
    if (wanted("decode")) benchDecode(json, device, bandwidth, stream.get());
    json.key("fit").open('[');
    for (const int landmarks : {68, 478})
      if (wanted("fit" + std::to_string(landmarks)))
        benchFit(json, device, landmarks, landmarks == 68 ? problemsFile : "", stream.get());
    json.close(']').close('}');
    std::printf("%s\n", json.text().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
