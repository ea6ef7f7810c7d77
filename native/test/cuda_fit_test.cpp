// Fits by the device's kernel: against the double-precision reference over the table of cases, the same bits whatever
// stands beside a problem, failures, what is left to the CPU. Compiled twice: for the shim, and for a machine with a GPU.
// Under sanitizers: options_are_kept failures nothing
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/CpuBackend.h"
#include "cuda/DeviceScheme.h"
#include "cuda/FitKernel.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/FitConditions.h"
#include "test/GpuDevice.h"
#include "test/Scene.h"

using namespace sfm;
using namespace sfm::test;

namespace {

#if defined(SFM_CUDA_ON_SHIM)
constexpr bool kShim = true;  // where a fit takes a tenth of a second
#else
constexpr bool kShim = false;
#endif

template <class Container>
cuda::DeviceMemory onDevice(const Container& values) {
  const size_t bytes = values.size() * sizeof(*values.data());
  cuda::DeviceMemory memory(std::max<size_t>(1, bytes));
  cuda::check(cudaMemcpy(memory.data(), values.data(), bytes, cudaMemcpyHostToDevice), "copying");
  // Pageable memory may still be on its way, and other streams do not wait for it.
  cuda::check(cudaDeviceSynchronize(), "copying");
  return memory;
}

template <class T>
void toHost(const cuda::DeviceMemory& memory, T* to, size_t count) {
  cuda::check(cudaMemcpy(to, memory.data(), count * sizeof(T), cudaMemcpyDeviceToHost), "copying");
}

// A batch fitted by the kernel alone, with what it leaves to the CPU.
struct DeviceFit {
  std::shared_ptr<FitBatch> batch;
  std::vector<uint8_t> unsolved;

  const double* record(size_t i) const { return batch->records.data() + i * kRecordSize; }
  FitStatus status(size_t i) const { return static_cast<FitStatus>(record(i)[kRecordStatus]); }
  FitFailure failure(size_t i) const { return static_cast<FitFailure>(record(i)[kRecordFailure]); }
};

DeviceFit fitOnDevice(const Scene& scene, const std::vector<Observation>& observations, const FitOptions& options,
                      bool scan) {
  DeviceFit fit{makeBatch(scene, observations, options, scan), {}};
  FitBatch& batch = *fit.batch;
  const GpuDevice device;
  const int ordinal = device.info().ordinal;
  const cuda::DeviceScheme scheme(*scene.model, scene.basis(), device.stream());
  CHECK(cuda::supportsFit(scheme.view(), batch.options, batch.space, ordinal));
  const size_t count = static_cast<size_t>(batch.count);
  const size_t workspaceBytes = cuda::fitWorkspaceBytes(scheme.view(), batch.options, batch.count, ordinal);
  // What was in the memory before must not matter.
  const cuda::DeviceMemory points = onDevice(batch.points), cameras = onDevice(batch.cameras),
                           confidence = onDevice(batch.confidence),
                           records = onDevice(std::vector<double>(count * kRecordSize, kUnknown)),
                           arrays = onDevice(std::vector<float>(count * batch.arraysPerFit(), NAN)),
                           unsolved = onDevice(std::vector<uint8_t>(count, 7)),
                           workspace = onDevice(std::vector<uint8_t>(workspaceBytes, 0xff));
  cuda::DeviceFitBatch task;
  task.count = batch.count;
  task.space = batch.space;
  task.options = batch.options;
  task.points = points.as<const double>();
  task.cameras = cameras.as<const double>();
  task.confidence = batch.confidence.empty() ? nullptr : confidence.as<const float>();
  task.records = records.as<double>();
  task.arrays = arrays.as<float>();
  task.unsolved = unsolved.as<uint8_t>();
  cuda::launchFit(scheme.view(), task, workspace.data(), device.stream());
  cuda::check(cudaStreamSynchronize(device.stream()), "fitting");
  toHost(records, batch.records.data(), count * kRecordSize);
  toHost(arrays, batch.arrays.data(), count * batch.arraysPerFit());
  fit.unsolved.resize(count);
  toHost(unsolved, fit.unsolved.data(), count);
  for (const uint8_t value : fit.unsolved) CHECK(value <= 1);
  return fit;
}

// The same by the CPU, in double precision where asked for.
std::shared_ptr<FitBatch> fitOnCpu(const Scene& scene, const std::vector<Observation>& observations,
                                   const FitOptions& options, bool scan, bool precise) {
  CpuBackend cpu(*cpuKernels().front(), 1, 4);
  const std::shared_ptr<FitBatch> batch = makeBatch(scene, observations, options, scan);
  batch->precise = precise;
  run(cpu, batch);
  return batch;
}

// The table's cases, and some more.
std::vector<Condition> deviceConditions() {
  std::vector<Condition> list = fitConditions();
  for (Condition& c : list)
    if (kShim) c.faces = c.landmarks > 100 ? 2 : 4;
  Condition whole;
  whole.name = "75 identities, 25 nuisances, 53 expressions, bounded";
  whole.tangent = 75;
  whole.withinIdentity = 20;
  whole.correlatedNoise = 5;
  whole.bounded = whole.outliers = true;
  whole.view.noise = 2;
  list.push_back(whole);
  // For blocks of the larger kind.
  whole.name = "100 identities, 60 nuisances, 53 expressions, focal estimated";
  whole.tangent = 100;
  whole.withinIdentity = 60;
  whole.correlatedNoise = 0;
  whole.bounded = false;
  whole.estimateFocal = true;
  whole.faces = 2;
  list.push_back(whole);
  // The first strides with all identities but three, and four columns of them at a time.
  whole.name = "47 identities, 30 nuisances";
  whole.tangent = 47;
  whole.withinIdentity = 30;
  list.push_back(whole);
  return list;
}

std::vector<Observation> observationsOf(const Condition& c, Scene& scene) {
  std::vector<Observation> observations;
  for (int i = 0; i < c.faces; ++i) observations.push_back(observationOf(c, scene));
  return observations;
}

}  // namespace

CASE(every_case_reaches_the_cost_of_the_reference) {
  double worst = 0, worstOfCpu = 0;
  int beyond = 0, count = 0, left = 0;
  std::string where;
  for (const Condition& c : deviceConditions()) {
    Scene scene(modelOf(c), c.landmarks, true);
    const FitOptions options = optionsOf(c);
    const std::vector<Observation> observations = observationsOf(c, scene);
    const auto reference = fitOnCpu(scene, observations, options, c.view.scan, true),
               cpu = fitOnCpu(scene, observations, options, c.view.scan, false);
    const DeviceFit fit = fitOnDevice(scene, observations, options, c.view.scan);
    const size_t size = fit.batch->arraysPerFit();
    for (size_t i = 0; i < observations.size(); ++i) {
      const Scope scope(c.name, ", face ", i);
      // What single precision does not do, the CPU does.
      CHECK_EQUAL(fit.unsolved[i] != 0, c.view.noise < 0.05);
      left += fit.unsolved[i];
      if (fit.unsolved[i]) continue;
      const double* record = fit.record(i);
      const double* expected = reference->records.data() + i * kRecordSize;
      CHECK_EQUAL(fit.status(i), FitStatus::kConverged);
      CHECK_EQUAL(fit.failure(i), FitFailure::kNone);
      CHECK_EQUAL(record[kRecordUsable], expected[kRecordUsable]);
      const auto differenceOf = [&](const double* other) {
        return std::fabs(other[kRecordFinalCost] - expected[kRecordFinalCost]) / expected[kRecordFinalCost];
      };
      const double difference = differenceOf(record);
      worstOfCpu = std::max(worstOfCpu, differenceOf(cpu->records.data() + i * kRecordSize));
      if (difference > worst) where = c.name;
      worst = std::max(worst, difference);
      beyond += !(difference < 1e-4);
      ++count;
      CHECK_AT_MOST(difference, 1e-3);
      CHECK_NEAR(record[kRecordInitialCost], expected[kRecordInitialCost], 1e-5 * expected[kRecordInitialCost]);
      CHECK_NEAR(record[kRecordRmse], expected[kRecordRmse], 5e-3 * expected[kRecordRmse]);
      CHECK_NEAR(record[kRecordUncertainty], expected[kRecordUncertainty], 2e-2 * expected[kRecordUncertainty]);
      CHECK_AT_MOST(degreesBetween(record + kRecordRotation, expected + kRecordRotation), 0.5);
      CHECK_NEAR(record[kRecordScale], expected[kRecordScale], 1e-2 * expected[kRecordScale]);
      CHECK_NEAR(record[kRecordFocal], expected[kRecordFocal], 2e-2 * expected[kRecordFocal]);
      for (int a = 0; a < 2; ++a) CHECK_NEAR(record[kRecordPrincipal + a], expected[kRecordPrincipal + a], 1e-9);
      for (int a = 0; a < 3; ++a)
        CHECK_NEAR(record[kRecordTranslation + a], expected[kRecordTranslation + a],
                   1 + 2e-2 * std::fabs(expected[kRecordTranslation + a]));
      // Identity, embedding, expression, residuals, weights: NaN where and only where they are missing.
      const float* arrays = fit.batch->arrays.data() + i * size;
      const float* expectedArrays = reference->arrays.data() + i * size;
      const size_t landmarks = static_cast<size_t>(c.landmarks), measured = size - 2 * landmarks;
      for (size_t k = 0; k < size; ++k) {
        CHECK_EQUAL(std::isnan(arrays[k]), std::isnan(expectedArrays[k]));
        if (std::isnan(arrays[k])) continue;
        const double tolerance = k < measured ? 0.05 : (k < size - landmarks ? 0.1 * record[kRecordRmse] : 0.05);
        CHECK_NEAR(arrays[k], expectedArrays[k], tolerance);
      }
    }
  }
  CHECK_AT_MOST(beyond, count / 100);
  note("worst relative difference of the final cost ", worst, " (", where, "), the CPU's ", worstOfCpu, "; ", beyond,
       " of ", count, " beyond 1e-4; ", left, " left to the CPU");
}

namespace {

// Problems of every kind: easy and hard ones, some that fail, one that wants double precision.
std::vector<Observation> mixed(Scene& scene) {
  std::vector<Observation> list;
  const auto add = [&](double yaw, double noise, auto change) {
    View view;
    view.yaw = yaw;
    view.noise = noise;
    list.push_back(scene.observation(scene.draw(view), view));
    change(list.back());
  };
  add(10, 2, [](Observation&) {});
  add(75, 3, [](Observation& o) { o.problem.focal = kUnknown; });  // takes its time
  add(0, 2, [](Observation& o) {
    for (size_t i = 8; i < o.points.size(); ++i) o.points[i] = kUnknown;
  });
  add(-30, 2, [](Observation& o) { o.points[4] += 300; });
  add(5, 2, [](Observation& o) {
    for (size_t i = 0; i < o.points.size(); ++i) o.points[i] = i % 2 ? 100 : static_cast<double>(i);
  });
  add(5, 0.3, [](Observation&) {});
  add(20, 0.01, [](Observation&) {});  // for double precision
  add(-5, 2, [](Observation& o) { o.points[0] = 1e9; });
  add(15, 2, [](Observation& o) {
    for (double& value : o.points) value = kUnknown;
  });
  add(-60, 1, [](Observation& o) { o.problem.principal[0] = o.problem.imageSize = o.problem.noise = kUnknown; });
  add(25, 2, [](Observation& o) { o.problem.principal[0] = 1e8; });
  return list;
}

SyntheticModelOptions mixedModel() {
  SyntheticModelOptions options;
  options.tangent = 24;
  options.expressions = 10;
  options.withinIdentity = 5;
  return options;
}

}  // namespace

// Whatever stands beside it in the batch, in whatever order, and whichever block takes it.
CASE(the_same_problem_has_the_same_bits_anywhere) {
  Scene scene(mixedModel(), 40, true);
  const std::vector<Observation> observations = mixed(scene);
  const size_t count = observations.size();
  const DeviceFit first = fitOnDevice(scene, observations, {}, false);
  // Alone.
  for (size_t i = 0; i < count; i += 3) {
    const DeviceFit alone = fitOnDevice(scene, {observations[i]}, {}, false);
    CHECK_EQUAL(alone.unsolved[0], first.unsolved[i]);
    if (!alone.unsolved[0]) CHECK(sameFit(*alone.batch, 0, *first.batch, i));
  }
  // Among many, in other places.
  std::vector<size_t> order;
  for (int copies = 0; copies < 3; ++copies)
    for (size_t i = 0; i < count; ++i) order.push_back(i);
  for (size_t i = order.size() - 1; i > 0; --i)
    std::swap(order[i], order[static_cast<size_t>(scene.random.below(static_cast<unsigned>(i + 1)))]);
  std::vector<Observation> many;
  for (const size_t i : order) many.push_back(observations[i]);
  const DeviceFit second = fitOnDevice(scene, many, {}, false);
  for (size_t i = 0; i < order.size(); ++i) {
    const Scope scope("problem ", order[i], " at ", i);
    CHECK_EQUAL(second.unsolved[i], first.unsolved[order[i]]);
    if (!second.unsolved[i]) CHECK(sameFit(*second.batch, i, *first.batch, order[i]));
  }
}

CASE(failures_are_those_of_the_cpu) {
  Scene scene(mixedModel(), 40, true);
  for (const bool scan : {false, true}) {
    std::vector<Observation> observations = mixed(scene);
    if (scan) {
      observations.clear();
      for (int i = 0; i < 5; ++i) {
        View view;
        view.scan = true;
        view.noise = 1;
        observations.push_back(scene.observation(scene.draw(view), view));
        std::vector<double>& points = observations.back().points;
        for (size_t k = 0; k < points.size(); ++k) {
          if (i == 1 && k >= 9) points[k] = kUnknown;
          if (i == 2) points[k] = k % 3 == 0 ? static_cast<double>(k) : 3;  // on a line
          if (i == 3 && k == 5) points[k] = -1e8;
          if (i == 4 && k % 4 == 0) points[k] = kUnknown;
        }
      }
    }
    const auto cpu = fitOnCpu(scene, observations, {}, scan, false);
    const DeviceFit fit = fitOnDevice(scene, observations, {}, scan);
    int failed = 0;
    for (size_t i = 0; i < observations.size(); ++i) {
      const Scope scope("scan ", scan, ", problem ", i);
      if (fit.unsolved[i]) continue;
      const double* expected = cpu->records.data() + i * kRecordSize;
      CHECK_EQUAL(fit.record(i)[kRecordStatus], expected[kRecordStatus]);
      CHECK_EQUAL(fit.record(i)[kRecordFailure], expected[kRecordFailure]);
      CHECK_EQUAL(fit.record(i)[kRecordUsable], expected[kRecordUsable]);
      if (fit.status(i) != FitStatus::kFailed) continue;
      ++failed;
      // The mean face, and nothing that was measured.
      for (const int which : {kRecordFinalCost, kRecordInitialCost, kRecordRmse, kRecordUncertainty})
        CHECK(std::isnan(fit.record(i)[which]));
      CHECK(sameFit(*cpu, i, *cpu, i));
      const size_t size = cpu->arraysPerFit();
      for (size_t k = 0; k < size; ++k) {
        const float actual = fit.batch->arrays.data()[i * size + k], other = cpu->arrays.data()[i * size + k];
        CHECK_EQUAL(std::isnan(actual), std::isnan(other));
        if (!std::isnan(other)) CHECK_EQUAL(actual, other);
      }
    }
    CHECK_EQUAL(failed, scan ? 3 : 5);
  }
}

CASE(options_are_kept) {
  for (const int tangent : {24, 60}) {  // a large system goes by fewer unknowns at first, and makes further steps
    SyntheticModelOptions model = mixedModel();
    model.tangent = tangent;
    Scene scene(model, 40, true);
    std::vector<Observation> observations;
    for (int i = 0; i < 3; ++i) {
      View view;
      view.noise = 2;
      view.yaw = 20 * i;
      observations.push_back(scene.observation(scene.draw(view), view));
    }
    for (int change = 0; change < 7; ++change) {
      FitOptions options;
      if (change == 0) options.maxIterations = 2;  // on the way to the objective
      if (change == 1) options.nuisances = false;
      if (change == 2) options.boundExpression = false;
      if (change == 3) options.identityPrior = 3, options.expressionPrior = 0.5;
      if (change == 4) options.degreesOfFreedom = 9;
      if (change == 5) options.costTolerance = 1e-3;
      if (change == 6) options.posterior = true;
      const Scope scope("tangent ", tangent, ", change ", change);
      const auto cpu = fitOnCpu(scene, observations, options, false, false);
      const DeviceFit fit = fitOnDevice(scene, observations, options, false);
      for (size_t i = 0; i < observations.size(); ++i) {
        const double* expected = cpu->records.data() + i * kRecordSize;
        CHECK_EQUAL(fit.unsolved[i], 0);
        CHECK_EQUAL(fit.record(i)[kRecordStatus], expected[kRecordStatus]);
        // The order of sums may decide on the last one.
        CHECK_NEAR(fit.record(i)[kRecordIterations], expected[kRecordIterations], 1);
        CHECK_NEAR(fit.record(i)[kRecordFinalCost], expected[kRecordFinalCost], 1e-4 * expected[kRecordFinalCost]);
        CHECK_NEAR(fit.record(i)[kRecordUncertainty], expected[kRecordUncertainty],
                   1e-3 * expected[kRecordUncertainty]);
        CHECK_NEAR(fit.record(i)[kRecordRmse], expected[kRecordRmse], 1e-3 * expected[kRecordRmse]);
      }
    }
  }
}

// Expressions far beyond their bounds, of every kind: exactly at them in the end.
CASE(expressions_keep_within_their_bounds) {
  int atBounds = 0;
  const float ranges[][2] = {{0, 1}, {-0.37f, 0.83f}, {0.11f, 0.3f}, {-0.7f, -0.1f}, {0.2f, 0.2f}};
  for (const auto& range : ranges) {
    SyntheticModelOptions model;
    model.expressions = 12;
    model.lowerBound = range[0];
    model.upperBound = range[1];
    Scene scene(model, 40);
    std::vector<Observation> observations;
    for (int i = 0; i < 3; ++i) {
      View view;
      view.noise = 2;
      Face truth = scene.draw(view);
      for (double& value : truth.expression) value = 2 * scene.random.normal();
      observations.push_back(scene.observation(truth, view));
    }
    const auto reference = fitOnCpu(scene, observations, {}, false, true);
    const DeviceFit fit = fitOnDevice(scene, observations, {}, false);
    for (size_t i = 0; i < observations.size(); ++i) {
      const Scope scope("from ", range[0], " to ", range[1], ", face ", i);
      CHECK_EQUAL(fit.unsolved[i], 0);
      const double expected = reference->records.data()[i * kRecordSize + kRecordFinalCost];
      CHECK_NEAR(fit.record(i)[kRecordFinalCost], expected, 1e-3 * expected);
      const float* expression = fit.batch->solution(static_cast<int>(i)).expression;
      for (int e = 0; e < model.expressions; ++e) {
        CHECK(expression[e] >= range[0] && expression[e] <= range[1]);
        atBounds += expression[e] == range[0] || expression[e] == range[1];
      }
    }
  }
  CHECK(atBounds > 60);
}

CASE(batches_of_nothing_are_nothing) {
  Scene scene(mixedModel(), 40);
  const DeviceFit fit = fitOnDevice(scene, {}, {}, false);
  CHECK(fit.unsolved.empty());
}

CASE(what_does_not_fit_is_left_to_the_cpu) {
  const GpuDevice device;
  const auto supported = [&](int tangent, int expressions, int landmarks, const FitOptions& options) {
    SyntheticModelOptions model;
    model.tangent = tangent;
    model.expressions = expressions;
    model.side = 8;
    const Scene scene(model, landmarks);
    return cuda::supportsFit(cuda::fitSizes(*scene.model, scene.basis()), options, ObservationSpace::kImage,
                             device.info().ordinal);
  };
  CHECK(supported(20, 8, 40, {}));
  CHECK(supported(100, 53, 478, {}));
  CHECK(!supported(300, 53, 68, {}));
  CHECK(!supported(20, 8, 5000, {}));
}

int main(int argc, char** argv) {
  if (!haveGpu()) return 1;
  return runCases(argc, argv);
}
