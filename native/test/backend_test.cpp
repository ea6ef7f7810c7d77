// The CPU backend as its callers see it: the same bits whatever the threads and the batch, cancellation, a bounded
// queue, an end in good order.
#include "cpu/CpuBackend.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cpu/ThreadPool.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/EachKernels.h"
#include "test/Faces.h"
#include "test/Scene.h"

using namespace sfm;
using namespace sfm::test;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

SyntheticModelOptions modelOptions() {
  SyntheticModelOptions options;
  options.tangent = 30;
  options.expressions = 12;
  return options;
}

// Problems of every kind in turn, so that a worker's memory has held something else before.
std::vector<Observation> variety(Scene& scene, int count, bool scan) {
  std::vector<Observation> observations;
  for (int i = 0; i < count; ++i) {
    View view;
    view.yaw = scene.random.uniform(-60, 60);
    view.noise = i % 5 == 4 ? 0.02 : 1;  // the last needs double precision
    view.scan = scan;
    Observation o = scene.observation(scene.draw(view), view);
    if (i % 3 == 1) o.problem.focal = kUnknown;
    if (i % 7 == 2) std::fill(o.points.begin() + 20, o.points.end(), kUnknown);
    if (i % 11 == 3) o.points.assign(o.points.size(), 1e30);
    observations.push_back(o);
  }
  return observations;
}

// NaN marks what is missing: it is the bits that count.
bool sameBits(const std::vector<float>& values, const float* others) {
  return std::memcmp(values.data(), others, values.size() * sizeof(float)) == 0;
}

// Opens when told to; tasks wait at it.
class Gate {
 public:
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace

CASE(bits_do_not_depend_on_threads_or_batch) {
  for (const bool scan : {false, true}) {
    Scene scene(modelOptions(), 68, true);
    const std::vector<Observation> observations = variety(scene, 60, scan);
    for (const CpuKernels* kernels : cpuKernels()) {
      const Scope scope(kernels->name, ", scan ", scan);
      CpuBackend one(*kernels, 1, 100), two(*kernels, 2, 100), five(*kernels, 5, 100);
      CHECK_EQUAL(five.threadCount(), 5);
      const auto expected = fitOn(one, scene, observations, {}, scan);
      int usable = 0;
      for (size_t i = 0; i < observations.size(); ++i)
        usable += expected->records[i * kRecordSize + kRecordUsable] == 1;
      CHECK(usable > 40);
      // Twice, since what a worker did before must not show either.
      for (CpuBackend* backend : {&one, &two, &five, &one}) {
        const auto again = fitOn(*backend, scene, observations, {}, scan);
        for (size_t i = 0; i < observations.size(); ++i) CHECK(sameFit(*expected, i, *again, i));
      }
      // The other way round, and each alone.
      const std::vector<Observation> reversed(observations.rbegin(), observations.rend());
      const auto backwards = fitOn(five, scene, reversed, {}, scan);
      for (size_t i = 0; i < observations.size(); ++i) {
        CHECK(sameFit(*expected, i, *backwards, observations.size() - 1 - i));
        CHECK(sameFit(*expected, i, *fitOn(two, scene, {observations[i]}, {}, scan), 0));
      }
    }
  }
}

// What is only there when it is asked for is that of the fit alone, and changes nothing else.
CASE(batches_carry_posteriors_and_linearisations) {
  SyntheticModelOptions model = modelOptions();
  model.withinIdentity = 5;
  model.correlatedNoise = 3;
  model.correlated = true;
  for (const bool scan : {false, true}) {
    Scene scene(model, 68, true);
    std::vector<Observation> observations = variety(scene, 30, scan);
    CpuBackend backend(*cpuKernels().front(), 2, 10);
    const auto plain = fitOn(backend, scene, observations, {}, scan);
    CHECK_EQUAL(plain->linearisations.size(), size_t{0});
    for (const bool precise : {false, true}) {
      FitOptions options;
      options.posterior = true;
      const auto batch = makeBatch(scene, observations, options, scan);
      batch->precise = precise;
      batch->linearise = true;
      batch->allocate();
      run(backend, batch);
      const size_t triangle = packedTriangle(model.tangent), d = static_cast<size_t>(model.tangent);
      CHECK_EQUAL(batch->arraysPerFit(), plain->arraysPerFit() + triangle + d);
      int fitted = 0;
      for (size_t i = 0; i < observations.size(); ++i) {
        const Scope scope("scan ", scan, ", precise ", precise, ", face ", i);
        const Fitted alone = scene.fit(precise ? nullptr : cpuKernels().front(), observations[i].view(), {}, scan);
        const FitSolution arrays = batch->solution(static_cast<int>(i));
        CHECK(sameBits(alone.identities, arrays.identity));
        if (!precise) CHECK(sameBits(alone.identities, plain->solution(static_cast<int>(i)).identity));
        CHECK_EQUAL(batch->records[i * kRecordSize + kRecordFailure], static_cast<double>(alone.failure));
        if (alone.failure != FitFailure::kNone) continue;
        ++fitted;
        const float* posterior = arrays.robustWeights + 68;
        for (size_t c = 0; c < triangle; ++c) CHECK_EQUAL(posterior[c], static_cast<float>(alone.informations[c]));
        for (size_t c = 0; c < d; ++c) CHECK_EQUAL(posterior[triangle + c], static_cast<float>(alone.shifts[c]));
        const FitLinearisation row = batch->linearisation(static_cast<int>(i));
        const auto same = [](const std::vector<double>& values, const double* others) {
          return std::equal(values.begin(), values.end(), others);
        };
        CHECK_EQUAL(row.identity, batch->linearisations.data() + i * batch->linearisationSize());
        CHECK(same(alone.linear.identity, row.identity));
        CHECK(same(alone.linear.nuisances, row.nuisances));
        CHECK(same(alone.linear.expression, row.expression));
        CHECK(same(alone.linear.bounds, row.bounds));
        CHECK(same(alone.linear.weights, row.weights));
        CHECK(same(alone.linear.derivatives, row.derivatives));
        CHECK(same(alone.linear.pose, row.pose));
        CHECK(same(alone.linear.residuals, row.residuals));
        CHECK(same(alone.linear.bareResiduals, row.bareResiduals));
        CHECK_EQUAL(row.bareResiduals + alone.linear.bareResiduals.size() - row.identity,
                    static_cast<std::ptrdiff_t>(batch->linearisationSize()));
      }
      CHECK(fitted > 20);
    }
  }
}

// A batch is so many problems, each with its own numbers: the fit of one is what the kernels make of it alone.
CASE(batches_hand_the_kernels_what_they_were_given) {
  for (const bool scan : {false, true}) {
    Scene scene(modelOptions(), 68, true);
    std::vector<Observation> observations = variety(scene, 20, scan);
    for (size_t i = 0; i < observations.size(); ++i) {
      Observation& o = observations[i];
      o.problem.imageSize = scene.random.uniform(500, 2000);
      o.problem.noise = i % 2 ? kUnknown : scene.random.uniform(0.5, 3);
      o.problem.principal[i % 2] += scene.random.uniform(-50, 50);
      o.confidence.resize(68);
      for (float& value : o.confidence) value = static_cast<float>(scene.random.uniform());
    }
    CpuBackend backend(*cpuKernels().front(), 2, 10);
    FitOptions options;
    options.identityPrior = 2;
    const auto batch = fitOn(backend, scene, observations, options, scan);
    for (size_t i = 0; i < observations.size(); ++i) {
      const Fitted alone = scene.fit(cpuKernels().front(), observations[i].view(), options, scan);
      const double* record = batch->records.data() + i * kRecordSize;
      const FitSolution arrays = batch->solution(static_cast<int>(i));
      CHECK_EQUAL(record[kRecordStatus], static_cast<double>(alone.status));
      CHECK_EQUAL(record[kRecordFailure], static_cast<double>(alone.failure));
      CHECK_EQUAL(record[kRecordUsable], alone.usable ? 1.0 : 0.0);
      CHECK_EQUAL(record[kRecordIterations], static_cast<double>(alone.iterations));
      if (!alone.usable) continue;
      CHECK_EQUAL(record[kRecordInitialCost], alone.initialCost);
      CHECK_EQUAL(record[kRecordFinalCost], alone.finalCost);
      CHECK_EQUAL(record[kRecordRmse], alone.rmse);
      CHECK_EQUAL(record[kRecordUncertainty], alone.uncertainty);
      CHECK_EQUAL(record[kRecordFocal], alone.focal);
      CHECK_EQUAL(record[kRecordScale], alone.scale);
      CHECK(std::equal(alone.rotation, alone.rotation + 9, record + kRecordRotation));
      CHECK(std::equal(alone.translation, alone.translation + 3, record + kRecordTranslation));
      CHECK(std::equal(alone.principal, alone.principal + 2, record + kRecordPrincipal));
      CHECK(sameBits(alone.identities, arrays.identity));
      CHECK(sameBits(alone.embeddings, arrays.embedding));
      CHECK(sameBits(alone.expressions, arrays.expression));
      CHECK(sameBits(alone.distances, arrays.residuals));
      CHECK(sameBits(alone.weights, arrays.robustWeights));
    }
  }
}

// Jobs of several schemes and models share the workers, whose memory is laid out anew for each.
CASE(jobs_of_different_models_run_side_by_side) {
  SyntheticModelOptions other = modelOptions();
  other.tangent = 45;
  other.expressions = 3;
  other.seed = 9;
  Scene first(modelOptions(), 68), second(other, 30);
  const std::vector<Observation> a = variety(first, 30, false), b = variety(second, 30, false);
  CpuBackend alone(*cpuKernels().front(), 1, 10), shared(*cpuKernels().front(), 3, 10);
  const auto expectedA = fitOn(alone, first, a, {}, false), expectedB = fitOn(alone, second, b, {}, false);
  for (int round = 0; round < 5; ++round) {
    std::shared_ptr<FitBatch> batchA = makeBatch(first, a, {}, false), batchB = makeBatch(second, b, {}, false);
    std::promise<void> doneA, doneB;
    shared.fit(batchA, std::make_shared<Cancellation>(), [&](std::exception_ptr) { doneA.set_value(); });
    shared.fit(batchB, std::make_shared<Cancellation>(), [&](std::exception_ptr) { doneB.set_value(); });
    doneA.get_future().get();
    doneB.get_future().get();
    for (size_t i = 0; i < a.size(); ++i) CHECK(sameFit(*expectedA, i, *batchA, i));
    for (size_t i = 0; i < b.size(); ++i) CHECK(sameFit(*expectedB, i, *batchB, i));
  }
}

CASE(cancelled_batches_end_promptly) {
  SyntheticModelOptions large = modelOptions();
  large.tangent = 100;
  large.expressions = 53;
  Scene scene(large, 68);
  View view;
  view.noise = 1;
  const std::vector<Observation> observations(20000, scene.observation(scene.draw(view), view));
  const std::shared_ptr<FitBatch> batch = makeBatch(scene, observations, {}, false);
  CpuBackend backend(*cpuKernels().front(), 2, 10);
  const auto cancellation = std::make_shared<Cancellation>();
  std::promise<std::exception_ptr> finished;
  std::atomic<int> calls{0};
  backend.fit(batch, cancellation, [&](std::exception_ptr error) {
    ++calls;
    finished.set_value(error);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // well under way
  const Clock::time_point begin = Clock::now();
  cancellation->cancel();
  CHECK(finished.get_future().get() == nullptr);
  const double seconds = secondsSince(begin);
  note("ended ", 1e3 * seconds, " ms after the cancellation");
  CHECK_AT_MOST(seconds, 1);
  CHECK_EQUAL(calls.load(), 1);
  CHECK_EQUAL(batch->records[(observations.size() - 1) * kRecordSize + kRecordUsable], 0.0);
  // The backend goes on.
  const auto next = fitOn(backend, scene, {observations[0]}, {}, false);
  CHECK_EQUAL(next->records[kRecordUsable], 1.0);
}

CASE(a_full_queue_refuses_and_recovers) {
  ThreadPool pool(1, 3);
  Gate started, gate;
  std::atomic<int> done{0};
  const auto submit = [&](int tasks) { pool.submit({tasks, [&](int, int) {}, [&](std::exception_ptr) { ++done; }}); };
  pool.submit({1,
               [&](int, int) {
                 started.open();
                 gate.wait();
               },
               [&](std::exception_ptr) { ++done; }});
  started.wait();  // it has left the queue
  for (int i = 0; i < 3; ++i) submit(2);
  CHECK_THROWS(QUEUE_FULL, submit(1));
  CHECK_THROWS(QUEUE_FULL, submit(5));
  gate.open();
  const Clock::time_point begin = Clock::now();
  while (done < 4 && secondsSince(begin) < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(done.load(), 4);  // those refused are never called
  submit(1);
  while (done < 5 && secondsSince(begin) < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(done.load(), 5);
}

CASE(a_full_backend_refuses_with_its_code) {
  Scene scene(modelOptions(), 68);
  View view;
  view.noise = 1;
  const std::vector<Observation> observations(2000, scene.observation(scene.draw(view), view));
  CpuBackend backend(*cpuKernels().front(), 1, 2);
  const auto cancellation = std::make_shared<Cancellation>();
  std::atomic<int> accepted{0}, completed{0};
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    try {
      backend.fit(makeBatch(scene, observations, {}, false), cancellation, [&](std::exception_ptr) { ++completed; });
      ++accepted;
    } catch (const Error& error) {
      CHECK_EQUAL(error.code(), ErrorCode::QUEUE_FULL);
      ++refused;
    }
  }
  CHECK(refused >= 2);
  cancellation->cancel();
  const Clock::time_point begin = Clock::now();
  while (completed < accepted && secondsSince(begin) < 20) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(completed.load(), accepted.load());
}

CASE(an_exception_reaches_the_completion_once) {
  ThreadPool pool(3, 10);
  std::atomic<int> calls{0}, run{0};
  std::promise<std::exception_ptr> finished;
  pool.submit({100,
               [&](int task, int) {
                 ++run;
                 if (task % 10 == 3) throw std::runtime_error("task");
               },
               [&](std::exception_ptr error) {
                 ++calls;
                 finished.set_value(error);
               }});
  std::string message;
  try {
    const std::exception_ptr error = finished.get_future().get();
    if (error) std::rethrow_exception(error);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  CHECK_EQUAL(message, std::string("task"));
  CHECK_EQUAL(calls.load(), 1);
  CHECK(run <= 100);
}

CASE(every_task_runs_once_on_a_worker_of_its_own) {
  constexpr int kThreads = 4, kTasks = 2000;
  ThreadPool pool(kThreads, 10);
  std::vector<std::atomic<int>> runs(kTasks);
  std::vector<std::atomic<int>> busy(kThreads);
  std::atomic<bool> shared{false};
  std::promise<void> finished;
  pool.submit({kTasks,
               [&](int task, int worker) {
                 if (busy[static_cast<size_t>(worker)].fetch_add(1) != 0) shared = true;
                 ++runs[static_cast<size_t>(task)];
                 busy[static_cast<size_t>(worker)].fetch_sub(1);
               },
               [&](std::exception_ptr) { finished.set_value(); }});
  finished.get_future().get();
  for (const std::atomic<int>& count : runs) CHECK_EQUAL(count.load(), 1);
  CHECK(!shared);
}

// The end of a pool: what is under way is finished, what has not begun is dropped, and every completion is called
// exactly once.
CASE(destruction_calls_every_completion_once) {
  for (int round = 0; round < 50; ++round) {
    constexpr size_t kJobs = 40;
    std::vector<std::atomic<int>> completions(kJobs);
    std::atomic<int> unfinished{0};
    Gate started;
    {
      ThreadPool pool(1 + round % 4, kJobs);
      for (size_t j = 0; j < kJobs; ++j)
        pool.submit({1 + static_cast<int>(j % 5),
                     [&](int, int) {
                       ++unfinished;
                       started.open();
                       std::this_thread::sleep_for(std::chrono::microseconds(50));
                       --unfinished;
                     },
                     [&completions, j](std::exception_ptr error) {
                       if (!error) ++completions[j];
                     }});
      started.wait();
    }
    CHECK_EQUAL(unfinished.load(), 0);
    for (const std::atomic<int>& count : completions) CHECK_EQUAL(count.load(), 1);
  }
}

CASE(destruction_of_a_backend_does_not_wait_for_its_queue) {
  Scene scene(modelOptions(), 68);
  View view;
  view.noise = 1;
  const std::vector<Observation> observations(20000, scene.observation(scene.draw(view), view));
  std::atomic<int> completed{0};
  Clock::time_point begin;
  {
    CpuBackend backend(*cpuKernels().front(), 2, 10);
    for (int i = 0; i < 5; ++i)
      backend.fit(makeBatch(scene, observations, {}, false), std::make_shared<Cancellation>(),
                  [&](std::exception_ptr) { ++completed; });
    begin = Clock::now();
  }
  CHECK_AT_MOST(secondsSince(begin), 1);
  CHECK_EQUAL(completed.load(), 5);
}

// The first decode of a model whose sides mirror each other waits for it to be prepared; a pool that ends prepares nothing.
CASE(destruction_ends_a_decode_that_waits_for_its_model) {
  SyntheticModelOptions options = modelOptions();
  options.side = 40;
  options.mirrored = true;
  SyntheticModel synthetic(options);
  const auto model = std::make_shared<const FaceModel>(synthetic.source());
  const Faces faces(*model, 20, false);
  const auto batch = std::make_shared<DecodeBatch>();
  batch->model = model;
  batch->count = faces.count;
  batch->coefficients = faces.coefficients;
  batch->owned = AlignedBuffer<float>(static_cast<size_t>(faces.count) * model->vertexCount() * 3);
  batch->vertices = batch->owned.data();
  std::atomic<int> completed{0};
  Gate gate;
  std::thread opener;
  {
    CpuBackend backend(*cpuKernels().front(), 1, 10);
    backend.pool().submit({1, [&](int, int) { gate.wait(); }, [](std::exception_ptr) {}});
    backend.decode(batch, std::make_shared<Cancellation>(), [&](std::exception_ptr) { ++completed; });
    opener = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      gate.open();
    });
  }
  opener.join();
  CHECK_EQUAL(completed.load(), 1);
  CHECK(!model->hasMirroredBasis());
}

CASE(many_threads_may_submit_at_once) {
  ThreadPool pool(3, 100000);
  std::atomic<int> tasks{0}, jobs{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int j = 0; j < 2500; ++j)
        pool.submit({1 + j % 3, [&](int, int) { ++tasks; }, [&](std::exception_ptr) { ++jobs; }});
    });
  for (std::thread& caller : callers) caller.join();
  const Clock::time_point begin = Clock::now();
  while (jobs < 10000 && secondsSince(begin) < 30) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(jobs.load(), 10000);
  CHECK_EQUAL(tasks.load(), 4 * (834 * 1 + 833 * 2 + 833 * 3));
}

// More threads than processors: all of them take part, across jobs, and a task that takes its time holds nobody else up.
CASE(more_threads_than_processors_share_uneven_jobs) {
  const int threads = 4 * ThreadPool::availableParallelism() + 3;
  ThreadPool pool(threads, 100);
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0, most = 0;
  bool released = false;
  std::atomic<int> small{0}, ended{0};
  // Jobs of one task each, which end when as many are under way as there are threads but one.
  for (int j = 0; j + 1 < threads; ++j)
    pool.submit({1,
                 [&](int, int) {
                   std::unique_lock<std::mutex> lock(mutex);
                   most = std::max(most, ++inside);
                   changed.notify_all();
                   changed.wait_for(lock, std::chrono::seconds(30), [&] { return released; });
                   --inside;
                 },
                 [&](std::exception_ptr) { ++ended; }});
  // Meanwhile the last thread does all the rest.
  std::promise<void> finished;
  pool.submit({5000, [&](int, int) { ++small; }, [&](std::exception_ptr) { finished.set_value(); }});
  CHECK(finished.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  CHECK_EQUAL(small.load(), 5000);
  CHECK_EQUAL(ended.load(), 0);
  {
    std::unique_lock<std::mutex> lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds(30), [&] { return inside == threads - 1; }));
    released = true;
  }
  changed.notify_all();
  const Clock::time_point begin = Clock::now();
  while (ended < threads - 1 && secondsSince(begin) < 30) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(ended.load(), threads - 1);
  CHECK_EQUAL(most, threads - 1);
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
