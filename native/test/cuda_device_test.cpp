// The CUDA backend whole, on a machine's devices: what it decodes and fits beside what the CPU does. Compiled twice: for the
// shim, and for a machine with a GPU.
// Under sanitizers: decode again
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

// What was launched before is launched as a graph: the same bits, also of another batch in between.
CASE(the_same_call_again_has_the_same_bits) {
  SyntheticModelOptions options;
  options.tangent = 12;
  options.expressions = 6;
  Scene scene(options, 40, true);
  std::vector<Observation> observations;
  for (int i = 0; i < 10; ++i) {
    View view;
    view.noise = 1;
    observations.push_back(scene.observation(scene.draw(view), view));
  }
  const std::vector<Observation> others(observations.rbegin(), observations.rend());
  const auto backend = cuda::makeBackend(cuda::findDevices().usable, makeCpu(), 1000);
  const auto first = fitOn(*backend, scene, observations, {}, false);
  for (int round = 0; round < 12; ++round) {
    const auto again = fitOn(*backend, scene, round % 4 == 3 ? others : observations, {}, false);
    for (size_t i = 0; i < observations.size(); ++i)
      CHECK(sameFit(*again, round % 4 == 3 ? observations.size() - 1 - i : i, *first, i));
  }
}

// Information and shift relative to the prior's, beside the CPU's in double precision; nothing where a fit fails.
CASE(posteriors_are_those_of_the_cpu) {
  SyntheticModelOptions model;
  model.tangent = 30;
  model.expressions = 12;
  model.withinIdentity = 6;
  model.personShare = 0.6f;
  for (const bool correlated : {false, true}) {
    model.correlated = correlated;
    Scene scene(model, 68, true);
    std::vector<Observation> observations;
    for (int i = 0; i < kFits; ++i) {
      View view;
      view.yaw = scene.random.uniform(-40, 40);
      view.noise = i % 9 == 8 ? 0.02 : 1.5;  // the last is solved by the CPU
      Observation o = scene.observation(scene.draw(view), view);
      if (i % 3 == 1) o.problem.focal = kUnknown;
      if (i % 7 == 3) o.points.assign(o.points.size(), kUnknown);
      observations.push_back(o);
    }
    const auto cpu = makeCpu();
    const auto backend = cuda::makeBackend(cuda::findDevices().usable, cpu, 1000);
    FitOptions options;
    options.posterior = true;
    options.costTolerance = 1e-8;
    const auto expected = makeBatch(scene, observations, options, false);
    expected->precise = true;
    run(*cpu, expected);
    const auto actual = fitOn(*backend, scene, observations, options, false);
    const int d = model.tangent;
    const size_t size = actual->arraysPerFit(), triangle = packedTriangle(d);
    double worst = 0, worstShift = 0;
    int failed = 0, informed = 0;
    for (size_t i = 0; i < observations.size(); ++i) {
      const Scope scope("general prior ", correlated, ", face ", i);
      const float *a = actual->arrays.data() + (i + 1) * size - triangle - d,
                  *e = expected->arrays.data() + (i + 1) * size - triangle - d;
      CHECK_EQUAL(actual->records[i * kRecordSize + kRecordFailure],
                  expected->records[i * kRecordSize + kRecordFailure]);
      if (expected->records[i * kRecordSize + kRecordFailure] != 0) {
        ++failed;
        CHECK(std::all_of(a, a + triangle + d, [](float value) { return value == 0; }));
        continue;
      }
      // 1 + S is what the fused posterior of this face alone goes by.
      std::vector<double> spread;
      for (int r = 0; r < d; ++r) spread.push_back(std::sqrt(1 + static_cast<double>(e[packedTriangle(r) + r])));
      size_t at = 0;
      for (int r = 0; r < d; ++r)
        for (int c = 0; c <= r; ++c, ++at)
          worst = std::max(worst, std::fabs(static_cast<double>(a[at]) - e[at]) / (spread[r] * spread[c]));
      for (int c = 0; c < d; ++c, ++at)
        worstShift = std::max(worstShift, std::fabs(static_cast<double>(a[at]) - e[at]) / spread[c]);
      informed += spread[0] > 1.2;
    }
    note("worst difference of the information ", worst, ", of the shift ", worstShift);
    CHECK_EQUAL(failed, (kFits + 3) / 7);
    CHECK_AT_MOST(worst, 5e-3);
    CHECK_AT_MOST(worstShift, 1e-2);
    CHECK(informed > kFits / 2);
  }
}

int main(int argc, char** argv) {
  if (!haveGpu()) return 1;
  return runCases(argc, argv);
}
