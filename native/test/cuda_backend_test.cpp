// The CUDA backend as its callers see it, on devices that are made up: calls that are merged, cut and shared between
// devices, what is cancelled, refused, or goes wrong. The fit's kernel is a stand-in, which shows where numbers go.
#include "cuda/CudaBackend.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "core/FallbackBackend.h"
#include "cuda/Check.h"
#include "cuda/FitKernel.h"
#include "cuda/WorkQueue.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/Faces.h"
#include "test/Scene.h"
#include "test/SyntheticModel.h"
#include "test/shim/FakeRuntime.h"

using namespace sfm;
using namespace sfm::test;

// --- The stand-in ---------------------------------------------------------------------------------------------------

namespace {

std::atomic<int> launches{0}, largestLaunch{0}, refusedLandmarks{-1};

// What the stand-in makes of a problem: a number that all its inputs change. Every seventh it leaves to the CPU.
double digest(const double* points, size_t size, const double* cameras, const float* confidence, size_t landmarks,
              bool* unsolved) {
  double sum = 0;
  for (size_t i = 0; i < size; ++i) sum += points[i] * static_cast<double>(i + 1);
  for (size_t i = 0; i < FitBatch::kCameraSize; ++i) sum += std::isnan(cameras[i]) ? 0.5 : cameras[i];
  for (size_t i = 0; i < landmarks; ++i) sum += confidence ? static_cast<double>(confidence[i]) : 1;
  *unsolved = std::fmod(std::fabs(points[0]) * 1000, 7) < 1;
  return sum;
}

}  // namespace

namespace sfm::cuda {

bool supportsFit(const DeviceFitModel& model, const FitOptions&, ObservationSpace, int) {
  return model.landmarkCount != refusedLandmarks;
}

size_t fitWorkspaceBytes(const DeviceFitModel&, const FitOptions&, int count, int) {
  return static_cast<size_t>(count) * 100;
}

void launchFit(const DeviceFitModel& model, const DeviceFitBatch& batch, void* workspace, cudaStream_t stream) {
  check(shim::append(stream, 1, 1, 0,
                     [=] {
                       std::memset(workspace, 0, static_cast<size_t>(batch.count) * 100);
                       ++launches;
                       largestLaunch = std::max(largestLaunch.load(), batch.count);
                       const size_t landmarks = static_cast<size_t>(model.landmarkCount),
                                    width = landmarks * (batch.space == ObservationSpace::kImage ? 2 : 3),
                                    arrays = static_cast<size_t>(model.identityCount + model.tangentCount +
                                                                 model.expressionCount) +
                                             2 * landmarks;
                       for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i) {
                         bool unsolved = false;
                         const double sum = digest(
                             batch.points + i * width, width, batch.cameras + i * FitBatch::kCameraSize,
                             batch.confidence ? batch.confidence + i * landmarks : nullptr, landmarks, &unsolved);
                         batch.unsolved[i] = unsolved;
                         for (size_t c = 0; c < kRecordSize; ++c) batch.records[i * kRecordSize + c] = sum + c;
                         for (size_t c = 0; c < arrays; ++c)
                           batch.arrays[i * arrays + c] = static_cast<float>(sum) + model.mean[c % 3 * 3];
                       }
                     }),
        "standing in");
}

}  // namespace sfm::cuda

namespace {

const CpuKernels& kernels() { return *cpuKernels().front(); }

std::shared_ptr<CpuBackend> makeCpu() { return std::make_shared<CpuBackend>(kernels(), 2, 1000); }

std::shared_ptr<Backend> makeCuda(std::shared_ptr<CpuBackend> cpu, int queueLimit = 1000) {
  return cuda::makeBackend(cuda::findDevices().usable, std::move(cpu), queueLimit);
}

struct Models {
  explicit Models(int side = 14, bool half = true) {
    SyntheticModelOptions options;
    options.side = side;
    options.half = half;
    SyntheticModel synthetic(options);
    model = std::make_shared<const FaceModel>(synthetic.source());
    scheme = std::make_shared<const LandmarkScheme>(*model, synthetic.landmarks(20));
  }
  std::shared_ptr<const FaceModel> model;
  std::shared_ptr<const LandmarkScheme> scheme;
};

std::shared_ptr<DecodeBatch> decodeBatch(const Models& models, const Faces& faces, bool scheme = false,
                                         bool normals = false, DecodePrecision precision = DecodePrecision::kStandard) {
  auto batch = std::make_shared<DecodeBatch>();
  batch->model = models.model;
  if (scheme) batch->scheme = models.scheme;
  batch->count = faces.count;
  batch->coefficients = faces.coefficients;
  batch->poses = faces.poses;
  batch->precision = precision;
  const size_t size = static_cast<size_t>(faces.count) * static_cast<size_t>(batch->basis().pointCount) * 3;
  batch->owned = AlignedBuffer<float>(size);
  batch->vertices = batch->owned.data();
  if (normals) batch->normals = AlignedBuffer<float>(size);
  return batch;
}

struct Call {
  std::shared_ptr<Cancellation> cancellation = std::make_shared<Cancellation>();
  std::shared_ptr<std::promise<std::exception_ptr>> promise = std::make_shared<std::promise<std::exception_ptr>>();
  std::shared_ptr<std::atomic<int>> completions = std::make_shared<std::atomic<int>>(0);

  Completion completion() {
    return [promise = promise, completions = completions](std::exception_ptr error) {
      if (++*completions == 1) promise->set_value(error);
    };
  }
  // The error's code, or none.
  const char* outcome() {
    const std::exception_ptr error = promise->get_future().get();
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Error& e) {
      return errorCodeName(e.code());
    }
    return "";
  }
};

Call startDecode(Backend& backend, const std::shared_ptr<DecodeBatch>& batch) {
  Call call;
  backend.decode(batch, call.cancellation, call.completion());
  return call;
}

std::string decodeAndWait(Backend& backend, const std::shared_ptr<DecodeBatch>& batch) {
  return startDecode(backend, batch).outcome();
}

void checkDecoded(const DecodeBatch& batch, const Faces& faces, double tolerance = 1e-3) {
  std::vector<double> expected(static_cast<size_t>(faces.count) * static_cast<size_t>(batch.basis().pointCount) * 3);
  decodeReference(batch.basis(), faces.view(nullptr), 0, faces.count, expected.data());
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(batch.vertices[i] - expected[i]);
    if (!(error <= worst)) worst = error;
  }
  CHECK_AT_MOST(worst, tolerance);
}

// So little memory that a batch has to go through in many chunks.
shim::FakeDevice smallDevice(size_t memory = size_t{1} << 20) {
  shim::FakeDevice device;
  device.memory = memory;
  return device;
}

// The devices of one case; sees that everything has been given back.
class Machine {
 public:
  explicit Machine(int devices) : Machine(std::vector<shim::FakeDevice>(static_cast<size_t>(devices))) {}
  explicit Machine(const std::vector<shim::FakeDevice>& devices) { shim::makeDevices(devices, 5); }
  ~Machine() { CHECK_EQUAL(shim::makeDevices({}), 0); }
};

}  // namespace

// --- Decoding ---------------------------------------------------------------------------------------------------------

CASE(decodes_what_the_cpu_decodes) {
  const Machine machine(1);
  const Models models;
  const auto cpu = makeCpu();
  const auto backend = makeCuda(cpu);
  CHECK_EQUAL(std::string(backend->name()), std::string("cuda"));
  for (const bool posed : {false, true})
    for (const bool scheme : {false, true})
      for (const bool normals : {false, true}) {
        if (scheme && normals) continue;
        const Faces faces(*models.model, 37, posed);
        const auto batch = decodeBatch(models, faces, scheme, normals);
        CHECK_EQUAL(decodeAndWait(*backend, batch), std::string());
        checkDecoded(*batch, faces);
        if (!normals) continue;
        const auto expected = decodeBatch(models, faces, scheme, true);
        cpu->decodeNow(*expected);
        for (size_t i = 0; i < expected->normals.size(); ++i) CHECK_NEAR(batch->normals[i], expected->normals[i], 2e-3);
      }
  const Faces none(*models.model, 0, false);
  CHECK_EQUAL(decodeAndWait(*backend, decodeBatch(models, none)), std::string());
  // On the caller's thread: the CPU.
  const Faces faces(*models.model, 3, true);
  const auto now = decodeBatch(models, faces);
  backend->decodeNow(*now);
  checkDecoded(*now, faces);
}

CASE(a_model_goes_to_a_device_once_and_leaves_with_its_owner) {
  const Machine machine(1);
  const auto backend = makeCuda(makeCpu());
  size_t withIt = 0;
  {
    const Models models;
    const Faces faces(*models.model, 3, false);
    decodeAndWait(*backend, decodeBatch(models, faces, false, true));
    decodeAndWait(*backend, decodeBatch(models, faces, true));
    decodeAndWait(*backend, decodeBatch(models, faces));
    decodeAndWait(*backend, decodeBatch(models, faces));
    // Each slot has had its memory by then.
    decodeAndWait(*backend, decodeBatch(models, faces));
    withIt = shim::bytesInUse(0);
    for (int i = 0; i < 5; ++i) decodeAndWait(*backend, decodeBatch(models, faces));
    CHECK_EQUAL(shim::bytesInUse(0), withIt);
  }
  // The device's thread may be the last to let go, before it goes on with another.
  const Models other(3);
  decodeAndWait(*backend, decodeBatch(other, Faces(*other.model, 1, false)));
  CHECK(shim::bytesInUse(0) < withIt);
}

CASE(many_small_calls_become_few_launches) {
  const Machine machine(1);
  const Models models, others(5);
  const auto backend = makeCuda(makeCpu());
  std::vector<Faces> faces;
  std::vector<std::shared_ptr<DecodeBatch>> batches;
  std::vector<Call> calls;
  // Something to be busy with meanwhile.
  const Faces large(*models.model, 500, false);
  const auto first = decodeBatch(models, large, false, true);
  Call firstCall = startDecode(*backend, first);
  for (int i = 0; i < 300; ++i) {
    const Models& of = i % 10 == 9 ? others : models;
    faces.emplace_back(*of.model, 1 + i % 3, i % 2 == 0);  // posed and not, together
    batches.push_back(decodeBatch(of, faces.back()));
  }
  for (const auto& batch : batches) calls.push_back(startDecode(*backend, batch));
  CHECK_EQUAL(firstCall.outcome(), std::string());
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK_EQUAL(calls[i].outcome(), std::string());
    checkDecoded(*batches[i], faces[i]);
  }
  note(shim::launchesOf(0), " launches for 301 calls");
  CHECK_AT_MOST(shim::launchesOf(0), 200);
}

CASE(a_device_with_work_leaves_the_rest_to_one_without) {
  const Models models(5);
  const Faces faces(*models.model, 900, false);
  cuda::WorkQueue queue(3, 10);
  int ends = 0;
  queue.add(std::make_shared<cuda::Work>(decodeBatch(models, faces), std::make_shared<Cancellation>(),
                                         [&](std::exception_ptr) { ++ends; }));
  const auto take = [&](bool busy) { return queue.take(busy, false, [](const cuda::Work&) { return 100000; }); };
  std::vector<cuda::Chunk> chunks = {take(false)};
  CHECK_EQUAL(chunks[0].count, 300);
  CHECK_EQUAL(take(true).count, 0);  // two have none
  chunks.push_back(take(false));
  CHECK_EQUAL(chunks[1].count, 300);
  CHECK_EQUAL(take(true).count, 0);
  queue.leave(false, nullptr);  // the third will never ask
  chunks.push_back(take(true));
  CHECK_EQUAL(chunks[2].count, 300);
  queue.putBack(std::move(chunks[2]));
  queue.becomeIdle();
  CHECK_EQUAL(take(true).count, 0);
  chunks[2] = take(false);
  CHECK_EQUAL(chunks[2].count, 300);
  for (const cuda::Chunk& chunk : chunks) chunk.settle(nullptr);
  CHECK_EQUAL(ends, 1);
}

CASE(several_devices_share_a_batch) {
  const Machine machine(3);
  const Models models(5);
  const auto backend = makeCuda(makeCpu());
  const Faces faces(*models.model, 3000, true);
  const auto batch = decodeBatch(models, faces);
  // Until each device has its part none is done with one: the first to wake would have room for all three.
  shim::holdEvents(true);
  Call call = startDecode(*backend, batch);
  const auto allHaveOne = [] {
    for (int device = 0; device < 3; ++device)
      if (shim::appendedTo(device) == 0) return false;
    return true;
  };
  for (int waits = 0; waits < 6000 && !allHaveOne(); ++waits)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(allHaveOne());
  shim::holdEvents(false);
  CHECK_EQUAL(call.outcome(), std::string());
  checkDecoded(*batch, faces);
  for (int device = 0; device < 3; ++device) CHECK(shim::launchesOf(device) > 0);
}

// --- Memory -----------------------------------------------------------------------------------------------------------

CASE(batches_larger_than_the_memory_go_through_in_pieces) {
  const Machine machine(std::vector{smallDevice()});
  const Models models;
  const auto backend = makeCuda(makeCpu());
  const Faces faces(*models.model, 600, true);  // 1.4 MB of vertices
  for (int round = 0; round < 2; ++round) {
    const auto batch = decodeBatch(models, faces);
    CHECK_EQUAL(decodeAndWait(*backend, batch), std::string());
    checkDecoded(*batch, faces);
  }
}

CASE(no_memory_at_all_is_an_error_and_not_the_end) {
  const Machine machine(1);
  const Models models;
  const auto cpu = makeCpu();
  const std::shared_ptr<Backend> backend = makeCuda(cpu);
  const Faces faces(*models.model, 100, false);
  shim::failToAllocate(0, 1000000);
  CHECK_EQUAL(decodeAndWait(*backend, decodeBatch(models, faces)), std::string("OUT_OF_MEMORY"));
  FallbackBackend either(backend, cpu);
  auto batch = decodeBatch(models, faces);
  CHECK_EQUAL(decodeAndWait(either, batch), std::string());
  checkDecoded(*batch, faces);
  CHECK(batch->warning.find("out of memory") != std::string::npos);
  shim::failToAllocate(-1, 0);
  batch = decodeBatch(models, faces);
  CHECK_EQUAL(decodeAndWait(either, batch), std::string());
  checkDecoded(*batch, faces);
  CHECK_EQUAL(batch->warning, std::string());
  // Once only, at any point: a smaller piece does.
  for (int i = 0; i < 12; ++i) {
    const Models fresh(9);
    const Faces others(*fresh.model, 100, true);
    shim::failToAllocate(i);
    const auto again = decodeBatch(fresh, others, false, true);
    CHECK_EQUAL(decodeAndWait(*backend, again), std::string());
    checkDecoded(*again, others);
  }
}

// --- Loss -------------------------------------------------------------------------------------------------------------

CASE(a_lost_device_ends_calls_with_its_error) {
  const Machine machine(std::vector{smallDevice()});
  const Models models(9);
  const auto cpu = makeCpu();
  const std::shared_ptr<Backend> backend = makeCuda(cpu);
  const Faces faces(*models.model, 900, true);
  shim::loseDevice(0, 3);
  CHECK_EQUAL(decodeAndWait(*backend, decodeBatch(models, faces)), std::string("DEVICE_UNAVAILABLE"));
  CHECK_THROWS(DEVICE_UNAVAILABLE, decodeAndWait(*backend, decodeBatch(models, faces)));
  FallbackBackend either(backend, cpu);
  const auto batch = decodeBatch(models, faces);
  CHECK_EQUAL(decodeAndWait(either, batch), std::string());
  checkDecoded(*batch, faces);
  CHECK(batch->warning.find("launch failure") != std::string::npos);
}

// Whatever the driver calls it, now or in years to come.
CASE(a_device_may_be_lost_by_any_name) {
  for (const cudaError_t error : {cudaErrorECCUncorrectable, cudaErrorNvlinkUncorrectable,
                                  cudaErrorInvalidConfiguration, static_cast<cudaError_t>(998)})
    for (const int launches : {0, 1, 3}) {
      const Scope scope("error ", static_cast<int>(error), " after ", launches);
      const Machine machine(std::vector{smallDevice()});
      const Models models(9);
      const auto cpu = makeCpu();
      const std::shared_ptr<Backend> backend = makeCuda(cpu);
      const Faces faces(*models.model, 900, true);
      shim::loseDevice(0, launches, error);
      CHECK_EQUAL(decodeAndWait(*backend, decodeBatch(models, faces)), std::string("DEVICE_UNAVAILABLE"));
      CHECK_THROWS(DEVICE_UNAVAILABLE, decodeAndWait(*backend, decodeBatch(models, faces)));
      FallbackBackend either(backend, cpu);
      const auto batch = decodeBatch(models, faces);
      CHECK_EQUAL(decodeAndWait(either, batch), std::string());
      checkDecoded(*batch, faces);
    }
}

CASE(what_is_lost_in_mid_run_the_cpu_does) {
  for (int launches = 0; launches < 6; ++launches) {
    const Machine machine(std::vector{smallDevice(size_t{1} << 19)});
    const Models models(9);
    const auto cpu = makeCpu();
    FallbackBackend either(makeCuda(cpu), cpu);
    const Faces faces(*models.model, 600, true);
    shim::loseDevice(0, launches);
    const auto batch = decodeBatch(models, faces);
    CHECK_EQUAL(decodeAndWait(either, batch), std::string());
    checkDecoded(*batch, faces);
    CHECK(!batch->warning.empty());
  }
}

CASE(other_devices_go_on_with_what_a_lost_one_had) {
  for (int launches = 0; launches < 3; ++launches) {
    const Machine machine(std::vector{smallDevice(), smallDevice()});
    const Models models(9);
    const auto backend = makeCuda(makeCpu());
    shim::loseDevice(1, launches);
    for (int round = 0; round < 2; ++round) {
      const Faces faces(*models.model, 600, true);
      const auto batch = decodeBatch(models, faces);
      CHECK_EQUAL(decodeAndWait(*backend, batch), std::string());
      checkDecoded(*batch, faces);
    }
  }
}

// --- Devices ----------------------------------------------------------------------------------------------------------

CASE(only_devices_that_can_be_used_are_listed) {
  shim::makeDevices({});
  CHECK(cuda::findDevices().usable.empty());
  CHECK(cuda::findDevices().trouble.empty());  // most machines are like that
  shim::FakeDevice old;
  old.major = 7;
  shim::FakeDevice unknown;
  unknown.hasCode = false;
  const Machine machine(std::vector{old, shim::FakeDevice{}, unknown});
  const cuda::Devices devices = cuda::findDevices();
  CHECK_EQUAL(devices.usable.size(), size_t{1});
  CHECK_EQUAL(devices.usable[0].ordinal, 1);
  CHECK_EQUAL(devices.usable[0].name, std::string("Fake 1"));
  CHECK_EQUAL(devices.usable[0].memory, size_t{1} << 30);
  CHECK_EQUAL(devices.usable[0].major, 9);
  shim::makeDevices({old});
  CHECK(cuda::findDevices().usable.empty());
  CHECK(cuda::findDevices().trouble.find("7.5 is the least") != std::string::npos);
  shim::failToCount(cudaErrorInsufficientDriver);
  CHECK(cuda::findDevices().usable.empty());
  CHECK(cuda::findDevices().trouble.find("13.0") != std::string::npos);
  shim::makeDevices(std::vector<shim::FakeDevice>(1));
}

// --- Order and end ----------------------------------------------------------------------------------------------------

CASE(cancelled_calls_end_without_an_error_and_without_the_rest) {
  const Machine machine(1);
  const Models models;
  const auto backend = makeCuda(makeCpu());
  const Faces faces(*models.model, 1000, true);
  const auto first = decodeBatch(models, faces), second = decodeBatch(models, faces);
  Call a = startDecode(*backend, first), b = startDecode(*backend, second);
  b.cancellation->cancel();
  a.cancellation->cancel();
  CHECK_EQUAL(a.outcome(), std::string());
  CHECK_EQUAL(b.outcome(), std::string());
  CHECK_EQUAL(second->vertices[second->owned.size() - 1], 0.0f);
  const Faces few(*models.model, 3, true);
  const auto next = decodeBatch(models, few);
  CHECK_EQUAL(decodeAndWait(*backend, next), std::string());
  checkDecoded(*next, few);
}

CASE(a_full_queue_refuses) {
  const Machine machine(1);
  const Models models(9);
  const auto backend = makeCuda(makeCpu(), 2);
  const Faces faces(*models.model, 500, true);
  std::vector<Call> calls;
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    Call call;
    try {
      backend->decode(decodeBatch(models, faces), call.cancellation, call.completion());
      calls.push_back(call);
    } catch (const Error& error) {
      CHECK_EQUAL(error.code(), ErrorCode::QUEUE_FULL);
      ++refused;
    }
  }
  CHECK(refused > 0);
  for (Call& call : calls) CHECK_EQUAL(call.outcome(), std::string());
}

CASE(destruction_calls_every_completion_once) {
  for (int round = 0; round < 6; ++round) {
    const Machine machine(1 + round % 2);
    const Models models(7);
    std::vector<Call> calls;
    {
      const auto backend = makeCuda(makeCpu());
      const Faces faces(*models.model, 200, false);
      for (int i = 0; i < 8; ++i) calls.push_back(startDecode(*backend, decodeBatch(models, faces)));
      if (round % 3 == 0) calls[0].outcome();
    }
    for (const Call& call : calls) CHECK_EQUAL(call.completions->load(), 1);
  }
}

CASE(many_threads_may_call_at_once) {
  const Machine machine(2);
  const Models models(5);
  const auto backend = makeCuda(makeCpu());
  const Faces faces(*models.model, 40, true);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        const auto batch = decodeBatch(models, faces, i % 3 == 0);
        Call call = startDecode(*backend, batch);
        if (*call.outcome() != '\0') ++wrong;
        std::vector<double> expected(batch->owned.size());
        decodeReference(batch->basis(), faces.view(nullptr), 0, faces.count, expected.data());
        for (size_t k = 0; k < expected.size(); ++k) wrong += !(std::fabs(batch->vertices[k] - expected[k]) < 1e-3);
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK_EQUAL(wrong.load(), 0);
}

// --- Fits -------------------------------------------------------------------------------------------------------------

namespace {

SyntheticModelOptions fitModel() {
  SyntheticModelOptions options;
  options.tangent = 12;
  options.expressions = 6;
  return options;
}

std::vector<Observation> observations(Scene& scene, int count, bool scan, bool confident) {
  std::vector<Observation> all;
  for (int i = 0; i < count; ++i) {
    View view;
    view.noise = 1;
    view.scan = scan;
    all.push_back(scene.observation(scene.draw(view), view));
    if (!confident || i % 2) continue;
    all.back().confidence.resize(static_cast<size_t>(scene.landmarkCount()));
    for (float& value : all.back().confidence) value = static_cast<float>(scene.random.uniform());
  }
  return all;
}

// Where the stand-in's numbers have to be, and where the CPU's.
void checkFitted(FitBatch& batch, const FitBatch& onCpu, int* fromCpu, size_t first = 0) {
  const size_t landmarks = static_cast<size_t>(batch.scheme->basis.landmarkCount),
               width = landmarks * static_cast<size_t>(batch.dimensions()), arrays = batch.arraysPerFit();
  for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i) {
    bool unsolved = false;
    const double sum =
        digest(&batch.points[i * width], width, &batch.cameras[i * FitBatch::kCameraSize],
               batch.confidence.empty() ? nullptr : &batch.confidence[i * landmarks], landmarks, &unsolved);
    if (unsolved) {
      ++*fromCpu;
      CHECK(sameFit(batch, i, onCpu, first + i));
      continue;
    }
    for (size_t c = 0; c < kRecordSize; ++c)
      CHECK_EQUAL(batch.records[i * kRecordSize + c], sum + static_cast<double>(c));
    for (size_t c = 0; c < arrays; ++c)
      CHECK_EQUAL(batch.arrays[i * arrays + c], static_cast<float>(sum) + batch.scheme->basis.mean[c % 3 * 3]);
  }
}

}  // namespace

CASE(fits_go_where_they_belong) {
  for (const int devices : {1, 2})
    for (const bool scan : {false, true})
      for (const bool confident : {false, true}) {
        const Scope scope("devices ", devices, ", scan ", scan, ", confident ", confident);
        const Machine machine(devices);
        Scene scene(fitModel(), 20);
        const auto cpu = makeCpu();
        const auto backend = makeCuda(cpu);
        const std::vector<Observation> all = observations(scene, 1200, scan, confident);
        const auto onCpu = fitOn(*cpu, scene, all, {}, scan);
        int fromCpu = 0;
        for (int round = 0; round < 2; ++round) {
          const auto batch = makeBatch(scene, all, {}, scan);
          run(*backend, batch);
          checkFitted(*batch, *onCpu, &fromCpu);
        }
        CHECK(fromCpu > 20);
        // Many calls of a face each, some with confidences and some without.
        std::vector<std::shared_ptr<FitBatch>> batches;
        std::vector<Call> calls;
        for (int i = 0; i < 100; ++i) batches.push_back(makeBatch(scene, {all[static_cast<size_t>(i)]}, {}, scan));
        for (const auto& batch : batches) {
          calls.emplace_back();
          backend->fit(batch, calls.back().cancellation, calls.back().completion());
        }
        for (size_t i = 0; i < calls.size(); ++i) {
          CHECK_EQUAL(calls[i].outcome(), std::string());
          checkFitted(*batches[i], *onCpu, &fromCpu, i);
        }
      }
}

CASE(the_same_chunk_again_is_a_graph) {
  const Machine machine(1);
  Scene scene(fitModel(), 20);
  const auto cpu = makeCpu();
  const auto backend = makeCuda(cpu);
  const std::vector<Observation> all = observations(scene, 60, false, false);
  const auto onCpu = fitOn(*cpu, scene, all, {}, false);
  int fromCpu = 0;
  for (int round = 0; round < 12; ++round) {
    const auto batch = makeBatch(scene, all, {}, false);
    run(*backend, batch);
    checkFitted(*batch, *onCpu, &fromCpu);
  }
  CHECK(shim::graphLaunches() >= 6);
  // Another count, other options: not that graph.
  FitOptions options;
  options.identityPrior = 2;
  const int before = shim::graphLaunches();
  const std::vector<Observation> fewer(all.begin(), all.begin() + 50);
  const auto batch = makeBatch(scene, fewer, {}, false);
  run(*backend, batch);
  checkFitted(*batch, *onCpu, &fromCpu);
  run(*backend, makeBatch(scene, all, options, false));
  CHECK_EQUAL(shim::graphLaunches(), before);
}

CASE(what_the_device_does_not_compute_the_cpu_does) {
  const Machine machine(1);
  Scene scene(fitModel(), 20);
  const auto cpu = makeCpu();
  const auto backend = makeCuda(cpu);
  const std::vector<Observation> all = observations(scene, 10, false, false);
  const int before = launches;
  for (int kind = 0; kind < 3; ++kind) {
    const FitOptions options;
    const auto expected = makeBatch(scene, all, options, false), batch = makeBatch(scene, all, options, false);
    for (const auto& each : {expected, batch}) {
      each->linearise = kind == 0;
      each->precise = kind == 1;
      each->allocate();
    }
    refusedLandmarks = kind == 2 ? 20 : -1;
    run(*cpu, expected);
    run(*backend, batch);
    for (size_t i = 0; i < all.size(); ++i) CHECK(sameFit(*expected, i, *batch, i));
    if (kind == 0)
      CHECK(std::equal(expected->linearisations.data(),
                       expected->linearisations.data() + expected->linearisations.size(),
                       batch->linearisations.data()));
  }
  refusedLandmarks = -1;
  CHECK_EQUAL(launches.load(), before);
}

CASE(fits_survive_what_decodes_survive) {
  Scene scene(fitModel(), 20);
  const std::vector<Observation> all = observations(scene, 3000, false, false);
  const auto alone = makeCpu();
  const auto onCpu = fitOn(*alone, scene, all, {}, false);
  int fromCpu = 0;
  {
    const Machine machine(std::vector{smallDevice()});
    Scene own(fitModel(), 20);
    const auto backend = makeCuda(makeCpu());
    const auto batch = makeBatch(own, all, {}, false);
    largestLaunch = 0;
    run(*backend, batch);
    checkFitted(*batch, *onCpu, &fromCpu);
    CHECK(largestLaunch < 3000);
  }
  for (int count = 0; count < 3; ++count) {
    const Machine machine(1);
    Scene own(fitModel(), 20);
    const auto cpu = makeCpu();
    FallbackBackend either(makeCuda(cpu), cpu);
    shim::loseDevice(0, count);
    for (int round = 0; round < 3; ++round) {
      const auto batch = makeBatch(own, all, {}, false);
      run(either, batch);
      if (batch->warning.empty()) {
        checkFitted(*batch, *onCpu, &fromCpu);
        continue;
      }
      for (size_t i = 0; i < all.size(); ++i) CHECK(sameFit(*batch, i, *onCpu, i));
    }
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
