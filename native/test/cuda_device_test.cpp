// The CUDA backend whole, on a machine's devices: what it decodes and fits beside what the CPU does. Compiled twice: for the
// shim, and for a machine with a GPU.
// Under sanitizers: decode
#include <algorithm>
#include <cmath>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cuda/CudaBackend.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/Faces.h"
#include "test/GpuDevice.h"
#include "test/Scene.h"

using namespace sfm;
using namespace sfm::test;

namespace {

#if defined(SFM_CUDA_ON_SHIM)
constexpr int kFaces = 60, kFits = 24, kCallers = 2;
#else
constexpr int kFaces = 5000, kFits = 3000, kCallers = 8;
#endif

std::shared_ptr<CpuBackend> makeCpu() {
  return std::make_shared<CpuBackend>(*cpuKernels().front(), ThreadPool::availableParallelism(), 1000);
}

std::shared_ptr<DecodeBatch> decodeBatch(const std::shared_ptr<const FaceModel>& model, const Faces& faces) {
  auto batch = std::make_shared<DecodeBatch>();
  batch->model = model;
  batch->count = faces.count;
  batch->coefficients = faces.coefficients;
  batch->poses = faces.poses;
  const size_t size = static_cast<size_t>(faces.count) * static_cast<size_t>(batch->basis().pointCount) * 3;
  batch->owned = AlignedBuffer<float>(size);
  batch->vertices = batch->owned.data();
  batch->normals = AlignedBuffer<float>(size);
  return batch;
}

void decode(Backend& backend, const std::shared_ptr<DecodeBatch>& batch) {
  std::promise<std::exception_ptr> finished;
  backend.decode(batch, std::make_shared<Cancellation>(), [&](std::exception_ptr error) { finished.set_value(error); });
  if (const std::exception_ptr error = finished.get_future().get()) std::rethrow_exception(error);
}

double largestDifference(const AlignedBuffer<float>& a, const AlignedBuffer<float>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

}  // namespace

CASE(decodes_as_the_cpu_does_from_many_threads) {
  SyntheticModelOptions options;
  options.side = 30;
  options.half = true;
  options.tangent = 75;
  options.expressions = 53;
  SyntheticModel synthetic(options);
  const auto model = std::make_shared<const FaceModel>(synthetic.source());
  const auto cpu = makeCpu();
  const auto backend = cuda::makeBackend(cuda::findDevices().usable, cpu, 1000);
  std::vector<Faces> faces;
  for (int i = 0; i < kCallers; ++i) faces.emplace_back(*model, kFaces / (i + 1) + i, i % 2 == 0);
  std::vector<std::shared_ptr<DecodeBatch>> actual, expected;
  for (const Faces& each : faces) {
    actual.push_back(decodeBatch(model, each));
    expected.push_back(decodeBatch(model, each));
  }
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) callers.emplace_back([&, i] { decode(*backend, actual[static_cast<size_t>(i)]); });
  for (std::thread& caller : callers) caller.join();
  for (size_t i = 0; i < faces.size(); ++i) {
    decode(*cpu, expected[i]);
    CHECK_AT_MOST(largestDifference(actual[i]->owned, expected[i]->owned), 1e-3);
    CHECK_AT_MOST(largestDifference(actual[i]->normals, expected[i]->normals), 2e-3);
  }
}

// Costs to 1e-4 on all but one in a thousand, and nothing worse than a failure that the CPU has as well.
CASE(fits_as_the_cpu_does) {
  SyntheticModelOptions options;
  options.tangent = 20;
  options.expressions = 10;
  options.withinIdentity = 5;
  Scene scene(options, 68, true);
  std::vector<Observation> observations;
  for (int i = 0; i < kFits; ++i) {
    View view;
    view.yaw = scene.random.uniform(-50, 50);
    view.noise = i % 8 == 7 ? 0.02 : 1;  // the last needs double precision
    Observation o = scene.observation(scene.draw(view), view);
    if (i % 3 == 1) o.problem.focal = kUnknown;
    if (i % 7 == 2) std::fill(o.points.begin() + 20, o.points.end(), kUnknown);
    if (i % 11 == 3) o.points.assign(o.points.size(), 1e30);
    observations.push_back(o);
  }
  const auto cpu = makeCpu();
  const auto backend = cuda::makeBackend(cuda::findDevices().usable, cpu, 1000);
  const auto expected = fitOn(*cpu, scene, observations, {}, false),
             actual = fitOn(*backend, scene, observations, {}, false);
  int off = 0;
  double worst = 0;
  for (size_t i = 0; i < observations.size(); ++i) {
    const double* a = actual->records.data() + i * kRecordSize;
    const double* e = expected->records.data() + i * kRecordSize;
    CHECK_EQUAL(a[kRecordFailure], e[kRecordFailure]);
    if (e[kRecordFailure] != 0) continue;
    const double difference = (a[kRecordFinalCost] - e[kRecordFinalCost]) / e[kRecordFinalCost];
    worst = std::max(worst, std::fabs(difference));
    off += !(difference < 1e-4);
  }
  CHECK_AT_MOST(off, kFits / 1000.0 + 1);
  note("worst relative difference of a cost ", worst, ", beyond 1e-4: ", off, " of ", kFits);
}

int main(int argc, char** argv) {
  if (!haveGpu()) return 1;
  return runCases(argc, argv);
}
