// Fits on one thread of the CPU, for comparison with other programs that solve the same problems, as JSON on standard
// output.
//   fit_bench [--landmarks 68] [--count 256] [--runs 7] [--problems FILE]
// FILE: where the problems are written, for bench/ceres and bench/torch. With --runs 0 they are fitted once, untimed: what
// an instruction counter wants, beside --count 0, which does all but that.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "bench/HostTiming.h"
#include "bench/Json.h"
#include "bench/Problems.h"
#include "cpu/CpuBackend.h"
#include "test/Batches.h"

using namespace sfm;
using namespace sfm::bench;

namespace {

struct Settings {
  int landmarks = 68, count = 256, runs = 7;
  std::string problems;
};

Settings parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--landmarks") settings.landmarks = std::atoi(argv[i + 1]);
    if (name == "--count") settings.count = std::atoi(argv[i + 1]);
    if (name == "--runs") settings.runs = std::atoi(argv[i + 1]);
    if (name == "--problems") settings.problems = argv[i + 1];
  }
  return settings;
}

void addTimes(Json& json, const char* name, const Times& times, int count) {
  json.key(name).open('{');
  json.member("median", times.median / count).member("min", times.least / count).member("max", times.most / count);
  json.member("runs", times.runs).member("cpu", times.cpu / count).close('}');
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  try {
    const Problems problems(settings.landmarks);
    const char* chosen = std::getenv("SFM_CPU_KERNELS");
    const CpuKernels* kernels = chosen && *chosen ? findCpuKernels(chosen) : cpuKernels().front();
    if (!kernels) throw Error(ErrorCode::DEVICE_UNAVAILABLE, "this processor lacks that instruction set");
    CpuBackend backend(*kernels, 1, 100);
    const std::shared_ptr<FitBatch> batch = problems.batch(settings.count), one = problems.batch(1);
    Json json;
    json.open('{').member("landmarks", settings.landmarks).member("count", settings.count);
    json.member("instructionSet", kernels->name);
    if (settings.count > 0) {
      test::run(backend, batch);
      if (settings.runs > 0) {
        addTimes(json, "millisecondsAFace", timeOnHost(settings.runs, [&] { test::run(backend, batch); }),
                 settings.count);
        addTimes(json, "singleMilliseconds", timeOnHost(40 * settings.runs, [&] { test::run(backend, one); }), 1);
      }
      double cost = 0, iterations = 0, converged = 0;
      for (int i = 0; i < batch->count; ++i) {
        const double* record = batch->records.data() + static_cast<size_t>(i) * kRecordSize;
        cost += record[kRecordFinalCost];
        iterations += record[kRecordIterations];
        converged += record[kRecordStatus] == static_cast<double>(FitStatus::kConverged);
      }
      json.member("meanCost", cost / settings.count).member("iterations", iterations / settings.count);
      json.member("converged", converged);
      if (!settings.problems.empty()) problems.write(settings.problems, *batch);
    }
    std::printf("%s\n", json.close('}').text().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
