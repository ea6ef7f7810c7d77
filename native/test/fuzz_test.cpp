// Random models, schemes, options and problems, many of them hostile, through every kernel: no crash, no hang, and no
// result that claims to be usable and is not sound. Runs for a few seconds; SFM_FUZZ_SECONDS sets another time,
// SFM_FUZZ_SEED the first seed (that of a failure is in its message: one iteration from there repeats it).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/Normals.h"
#include "cpu/CpuKernels.h"
#include "test/Check.h"
#include "test/EachKernels.h"
#include "test/Random.h"
#include "test/Sound.h"

using namespace sfm;
using namespace sfm::test;

namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double setting(const char* name, double otherwise) {
  const char* value = std::getenv(name);
  return value ? std::atof(value) : otherwise;
}

// How hostile the numbers of one array are.
enum class Mood { kSane, kScaled, kSprinkled, kWild };

Mood mood(Random& random) {
  const double dice = random.uniform();
  return dice < 0.7 ? Mood::kSane : (dice < 0.8 ? Mood::kScaled : (dice < 0.95 ? Mood::kSprinkled : Mood::kWild));
}

template <class Real>
Real poison(Random& random) {
  using Limits = std::numeric_limits<Real>;
  const Real values[] = {0,
                         -Real(0),
                         Limits::denorm_min(),
                         -Limits::min(),
                         Limits::max(),
                         Limits::lowest(),
                         Limits::epsilon(),
                         Real(1e-30),
                         Real(1e30),
                         Real(-1e30),
                         Real(1e7),
                         Limits::infinity(),
                         Limits::quiet_NaN()};
  return values[random.below(sizeof values / sizeof values[0])];
}

template <class Real>
Real wild(Random& random) {
  return static_cast<Real>(random.normal() * std::pow(10, random.uniform(-30, 30)));
}

// Numbers of about `size`, unless the mood is other.
template <class Real>
std::vector<Real> numbers(Random& random, size_t count, double size) {
  const Mood kind = mood(random);
  const double scale = kind == Mood::kScaled ? size * std::pow(10, random.uniform(-30, 30)) : size;
  std::vector<Real> values(count);
  for (Real& value : values) {
    value = kind == Mood::kWild ? wild<Real>(random) : static_cast<Real>(scale * random.normal());
    if (kind == Mood::kSprinkled && random.chance(1.5 / static_cast<double>(count))) value = poison<Real>(random);
  }
  return values;
}

// One number: `usual`, or anything.
double number(Random& random, double usual) {
  if (random.chance(0.93)) return usual;
  return random.chance(0.5) ? poison<double>(random) : std::fabs(wild<double>(random));
}

uint16_t halfOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);  // some half or other
}

// The arrays of a model file, of any quality.
struct ModelArrays {
  explicit ModelArrays(Random& random) {
    const size_t vertices = 1 + static_cast<size_t>(random.below(80));
    k = 1 + random.below(40);
    e = random.below(3) ? random.below(12) : 0;
    spherical = random.chance(0.7);
    half = random.chance(0.3);
    mean = numbers<float>(random, 3 * vertices, 60);
    identity = numbers<float>(random, 3 * vertices * static_cast<size_t>(k), spherical ? 20 : 4);
    expression = numbers<float>(random, 3 * vertices * static_cast<size_t>(e), 5);
    q = random.below(3) ? 0 : random.below(20);
    within = numbers<float>(random, 3 * vertices * static_cast<size_t>(q), 1);
    if (spherical && random.chance(0.8))
      std::fill(identity.end() - static_cast<std::ptrdiff_t>(3 * vertices), identity.end(), 0.0f);
    for (float value : identity) identityHalves.push_back(halfOf(value));
    for (float value : expression) expressionHalves.push_back(halfOf(value));
    for (float value : within) withinHalves.push_back(halfOf(value));
    for (int i = 0; i < e; ++i) {
      const bool usual = random.chance(0.5);
      const float low = static_cast<float>(number(random, usual ? 0 : random.normal()));
      const float high = static_cast<float>(number(random, usual ? 1 : random.normal()));
      bounds.insert(bounds.end(), {std::min(low, high), std::max(low, high)});
      stddev.push_back(static_cast<float>(number(random, 0.3)));
    }
    priorMean.assign(static_cast<size_t>(k), 0.0f);
    priorMean.back() = 1;
    if (random.chance(0.3)) {
      double norm = 0;
      for (float& value : priorMean) value = static_cast<float>(random.normal());
      for (float value : priorMean) norm += static_cast<double>(value) * value;
      for (float& value : priorMean) value = static_cast<float>(value / std::sqrt(norm));
    }
    priorFactor =
        numbers<float>(random, static_cast<size_t>(k) * static_cast<size_t>(k), random.chance(0.5) ? 0.02 : 0);
    for (int i = 0; i < k; ++i) priorFactor[static_cast<size_t>(i * k + i)] += static_cast<float>(number(random, 0.15));
    for (int i = random.below(40); i > 0; --i)
      for (int c = 0; c < 3; ++c)
        triangles.push_back(random.chance(0.999) ? random.below(static_cast<int>(vertices))
                                                 : static_cast<int32_t>(random.bits()));
  }

  FaceModelSource source() const {
    FaceModelSource s;
    s.vertexCount = static_cast<int>(mean.size() / 3);
    s.mean = mean.data();
    s.identity = {half ? nullptr : identity.data(), half ? identityHalves.data() : nullptr, k};
    s.expression = {half ? nullptr : expression.data(), half ? expressionHalves.data() : nullptr, e};
    s.expressionBounds = bounds.data();
    s.expressionStddev = stddev.data();
    s.priorMean = spherical ? priorMean.data() : nullptr;
    s.priorFactor = spherical ? priorFactor.data() : nullptr;
    s.withinIdentity = {half ? nullptr : within.data(), half ? withinHalves.data() : nullptr, q};
    s.triangles = triangles.data();
    s.triangleCount = static_cast<int>(triangles.size() / 3);
    return s;
  }

  int k, e, q;
  bool spherical, half;
  std::vector<float> mean, identity, expression, bounds, stddev, priorMean, priorFactor, within;
  std::vector<uint16_t> identityHalves, expressionHalves, withinHalves;
  std::vector<int32_t> triangles;
};

std::unique_ptr<const FaceModel> makeModel(Random& random) {
  for (;;) {
    const ModelArrays arrays(random);
    try {
      return std::make_unique<const FaceModel>(arrays.source());
    } catch (const Error& error) {
      CHECK_EQUAL(error.code(), ErrorCode::INVALID_MODEL);
    }
  }
}

std::unique_ptr<const LandmarkScheme> makeScheme(Random& random, const FaceModel& model) {
  for (;;) {
    const int count = 1 + random.below(90);
    std::vector<int32_t> indices;
    std::vector<float> weights = numbers<float>(random, 3 * static_cast<size_t>(count), 0.4), noise, offsets;
    for (int i = 0; i < count; ++i) {
      for (int c = 0; c < 3; ++c)
        indices.push_back(random.chance(0.9999) ? random.below(model.vertexCount())
                                                : static_cast<int32_t>(random.bits()));
      noise.push_back(random.chance(0.98) ? 1.0f : static_cast<float>(number(random, 2)));
    }
    if (random.chance(0.8))
      for (size_t i = 0; i < weights.size(); i += 3) {
        weights[i] = 1;
        weights[i + 1] = weights[i + 2] = 0;
      }
    if (random.chance(0.2)) offsets = numbers<float>(random, 3 * static_cast<size_t>(count), 2);
    LandmarkSchemeSource source;
    source.count = count;
    source.indices = indices.data();
    source.weights = weights.data();
    source.noiseFactors = random.chance(0.5) ? noise.data() : nullptr;
    source.offsets = offsets.empty() ? nullptr : offsets.data();
    source.correlatedNoiseCount = random.below(3) ? 0 : random.below(12);
    const std::vector<float> correlated =
        numbers<float>(random, 3 * static_cast<size_t>(count * source.correlatedNoiseCount), 1);
    source.correlatedNoise = correlated.data();
    try {
      return std::make_unique<const LandmarkScheme>(model, source);
    } catch (const Error& error) {
      CHECK_EQUAL(error.code(), ErrorCode::INVALID_MODEL);
    }
  }
}

FitOptions makeOptions(Random& random) {
  for (;;) {
    FitOptions options;
    options.maxIterations = random.chance(0.8) ? 30 : 1 + random.below(100);
    options.loss = random.chance(0.5) ? RobustLoss::kSquared : RobustLoss::kStudentT;
    options.boundExpression = random.chance(0.6);
    options.weakPerspective = random.chance(0.3);
    options.nuisances = random.chance(0.8);
    if (random.chance(0.3)) {
      options.degreesOfFreedom = number(random, 4);
      options.identityPrior = number(random, 1);
      options.expressionPrior = number(random, 1);
      options.noise = number(random, 1.24);
      options.focalStddev = number(random, 0.35);
      options.costTolerance = number(random, 1e-6);
    }
    if (options.isValid(nullptr)) return options;
  }
}

// The landmarks of the mean face, turned, seen, and then treated badly.
Observation makeObservation(Random& random, const LandmarkBasis& basis, bool scan) {
  Observation o;
  const double omega[3] = {random.normal(), random.normal(), random.normal()},
               size = random.chance(0.9) ? 3 : std::fabs(wild<double>(random));
  double rotation[9];
  rotationExp(omega, rotation);
  const std::vector<double> noise = numbers<double>(random, 3 * static_cast<size_t>(basis.landmarkCount), 3);
  const double poisoned = random.chance(0.7) ? 0 : 0.02;
  for (size_t i = 0; i < static_cast<size_t>(basis.landmarkCount); ++i)
    for (size_t a = 0; a < (scan ? 3 : 2); ++a) {
      double value = 0;
      for (size_t b = 0; b < 3; ++b) value += size * rotation[3 * a + b] * basis.mean[3 * i + b];
      o.points.push_back(random.chance(poisoned) ? poison<double>(random) : value + 300 + noise[3 * i + a]);
    }
  if (random.chance(0.1)) o.points = numbers<double>(random, o.points.size(), 200);
  if (random.chance(0.3))
    for (int i = 0; i < basis.landmarkCount; ++i)
      o.confidence.push_back(static_cast<float>(number(random, random.uniform())));
  o.problem.focal = number(random, random.chance(0.5) ? 1400 : kUnknown);
  for (double& value : o.problem.principal) value = number(random, random.chance(0.5) ? 300 : kUnknown);
  o.problem.imageSize = number(random, random.chance(0.5) ? 1000 : kUnknown);
  o.problem.noise = number(random, random.chance(0.5) ? 2 : kUnknown);
  return o;
}

void decodeSomething(Random& random, const FaceModel& model, const DecodeBasis& basis, const CpuKernels& kernels) {
  const size_t faces = 1 + static_cast<size_t>(random.below(20));
  const std::vector<float> coefficients = numbers<float>(random, faces * static_cast<size_t>(basis.columnCount), 1);
  const std::vector<float> poses = numbers<float>(random, faces * 12, 1);
  std::vector<float> vertices(faces * static_cast<size_t>(basis.pointCount) * 3);
  AlignedBuffer<float> scratch(decodeScratch(basis, static_cast<int>(faces)));
  DecodeFaces view = {coefficients.data(), random.chance(0.5) ? poses.data() : nullptr, vertices.data()};
  view.stream = random.chance(0.5);
  kernels.decode(basis, view, 0, basis.panelCount, 0, static_cast<int>(faces), scratch.data());
  if (basis.pointCount != model.vertexCount()) return;
  std::vector<float> triangles(model.triangles().size()), normals(static_cast<size_t>(model.vertexCount()) * 3);
  vertexNormals(model, vertices.data(), triangles.data(), normals.data());
}

}  // namespace

CASE(nothing_hostile_gets_through) {
  const double limit = setting("SFM_FUZZ_SECONDS", 3), begin = seconds();
  uint64_t seed = static_cast<uint64_t>(setting("SFM_FUZZ_SEED", 1));
  long long fits = 0, usable = 0, failures[6] = {0};
  double slowest = 0;
  for (; seconds() - begin < limit; ++seed) {
    const Scope scope("SFM_FUZZ_SEED=", seed);
    Random random(seed);
    const std::unique_ptr<const FaceModel> model = makeModel(random);
    const std::unique_ptr<const LandmarkScheme> scheme = makeScheme(random, *model);
    FitWorkspace<float> single(scheme->basis);
    FitWorkspace<double> twice(scheme->basis);
    for (const CpuKernels* kernels : cpuKernels()) {
      decodeSomething(random, *model, model->decodeBasis(), *kernels);
      decodeSomething(random, *model, scheme->points, *kernels);
    }
    for (int i = 0; i < 8; ++i) {
      const FitOptions options = makeOptions(random);
      const bool scan = random.chance(0.3);
      const ObservationSpace space = scan ? ObservationSpace::kScan : ObservationSpace::kImage;
      Observation observation = makeObservation(random, scheme->basis, scan);
      const FitProblem& problem = observation.view();
      const bool everything = random.chance(0.5);
      for (size_t k = 0; k <= cpuKernels().size(); ++k) {
        const bool reference = k == cpuKernels().size();
        const Scope which("problem ", i, ", ", reference ? "reference" : cpuKernels()[k]->name);
        Fitted fitted(*model, scheme->basis);
        if (everything) fitted.wantAll(*model, scheme->basis, scan);
        const double start = seconds();
        if (reference || !cpuKernels()[k]->fit(*model, scheme->basis, options, space, single, problem, fitted))
          fitReference(*model, scheme->basis, options, space, twice, problem, fitted);
        if (everything && fitted.failure == FitFailure::kNone)
          whitenPosterior(*model, options.identityPrior, fitted.information, fitted.shift);
        slowest = std::max(slowest, seconds() - start);
        checkSound(*model, scheme->basis, options, fitted, scan);
        ++fits;
        usable += fitted.usable;
        ++failures[static_cast<int>(fitted.failure)];
      }
    }
  }
  // Tens of milliseconds are the most that so few unknowns may take; the rest is for sanitizers and loaded machines.
  CHECK_AT_MOST(slowest, 5);
  note(fits, " fits up to seed ", seed - 1, ", ", usable, " usable; failures: too few ", failures[1], ", degenerate ",
       failures[2], ", too large ", failures[3], ", behind ", failures[4], ", numerical ", failures[5], "; slowest ",
       1e3 * slowest, " ms");
  // Enough of everything for the rest to mean something, where the time sufficed.
  if (fits < 5000) return;
  CHECK(usable > fits / 20);
  for (int f = 1; f < 6; ++f) CHECK(failures[f] > 0);
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
