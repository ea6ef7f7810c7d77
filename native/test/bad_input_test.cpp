// What cannot be fitted is a failure that says why; it is never a crash, a number that is not one, or a spoiled
// neighbour.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cpu/CpuBackend.h"
#include "test/Batches.h"
#include "test/Check.h"
#include "test/EachKernels.h"
#include "test/Scene.h"
#include "test/Sound.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr int kLandmarks = 30;

SyntheticModelOptions smallModel() {
  SyntheticModelOptions options;
  options.tangent = 12;
  options.expressions = 5;
  return options;
}

struct BadInput {
  const char* name;
  FitFailure expected;
  bool scan;
  void (*spoil)(Observation& o);
};

void each(Observation& o, void (*place)(size_t landmark, double* point)) {
  const size_t d = o.points.size() / kLandmarks;
  for (size_t i = 0; i < kLandmarks; ++i) place(i, &o.points[d * i]);
}

const BadInput kBadInputs[] = {
    {"no point at all", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { o.points.assign(o.points.size(), kUnknown); }},
    {"five points", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { std::fill(o.points.begin() + 10, o.points.end(), kUnknown); }},
    {"one coordinate of each point missing", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { each(o, [](size_t, double* p) { p[1] = kUnknown; }); }},
    {"infinite points", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { each(o, [](size_t i, double* p) { p[i % 2] = i % 3 ? kInfinity : -kInfinity; }); }},
    {"no confidence", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { o.confidence.assign(kLandmarks, 0.0f); }},
    {"negative confidence", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { o.confidence.assign(kLandmarks, -1.0f); }},
    {"confidence not a number", FitFailure::kTooFewLandmarks, false,
     [](Observation& o) { o.confidence.assign(kLandmarks, std::numeric_limits<float>::quiet_NaN()); }},
    {"three points of a scan", FitFailure::kTooFewLandmarks, true,
     [](Observation& o) { std::fill(o.points.begin() + 9, o.points.end(), kUnknown); }},
    {"points on a line", FitFailure::kDegenerateLandmarks, false,
     [](Observation& o) {
       each(o, [](size_t i, double* p) {
         p[0] = 100 + 7 * static_cast<double>(i);
         p[1] = 300 - 3 * static_cast<double>(i);
       });
     }},
    {"points on a vertical line", FitFailure::kDegenerateLandmarks, false,
     [](Observation& o) { each(o, [](size_t, double* p) { p[0] = 100; }); }},
    {"points on a line but for their rounding", FitFailure::kDegenerateLandmarks, false,
     [](Observation& o) {
       each(o, [](size_t i, double* p) {
         p[0] = 100 + 7 * static_cast<double>(i);
         p[1] = std::round(300 - 3.3 * static_cast<double>(i));
       });
     }},
    {"points in one place", FitFailure::kDegenerateLandmarks, false,
     [](Observation& o) { each(o, [](size_t, double* p) { p[0] = p[1] = 250; }); }},
    {"points at the origin", FitFailure::kDegenerateLandmarks, false,
     [](Observation& o) { o.points.assign(o.points.size(), 0.0); }},
    {"points of a scan on a line", FitFailure::kDegenerateLandmarks, true,
     [](Observation& o) { each(o, [](size_t i, double* p) { p[0] = p[1] = p[2] = static_cast<double>(i); }); }},
    {"points of a scan in one place", FitFailure::kDegenerateLandmarks, true,
     [](Observation& o) { o.points.assign(o.points.size(), 5.0); }},
    {"huge coordinates", FitFailure::kCoordinatesTooLarge, false,
     [](Observation& o) { each(o, [](size_t, double* p) { p[0] *= 1e6; }); }},
    {"1e30", FitFailure::kCoordinatesTooLarge, false, [](Observation& o) { o.points[20] = 1e30; }},
    {"-1e300", FitFailure::kCoordinatesTooLarge, false, [](Observation& o) { o.points[21] = -1e300; }},
    {"largest number", FitFailure::kCoordinatesTooLarge, false,
     [](Observation& o) { each(o, [](size_t i, double* p) { p[i % 2] = std::numeric_limits<double>::max(); }); }},
    {"scan of 1e30", FitFailure::kCoordinatesTooLarge, true, [](Observation& o) { o.points[30] = 1e30; }},
    {"principal point far away", FitFailure::kCoordinatesTooLarge, false,
     [](Observation& o) { o.problem.principal[1] = 1e30; }},
    // A focal length of a pixel puts the camera inside the face.
    {"face around the camera", FitFailure::kBehindCamera, false, [](Observation& o) { o.problem.focal = 1; }},
    {"no focal length to speak of", FitFailure::kBehindCamera, false, [](Observation& o) { o.problem.focal = 1e-300; }},
};

template <class Body>
void forEachSolver(Body body) {
  forEachKernels([&](const CpuKernels& kernels) { body(&kernels); });
  const Scope scope("reference");
  body(nullptr);
}

Observation frontal(Scene& scene, bool scan) {
  View view;
  view.noise = 1;
  view.scan = scan;
  return scene.observation(scene.draw(view), view);
}

}  // namespace

CASE(bad_input_fails_and_says_why) {
  Scene scene(smallModel(), kLandmarks);
  for (const BadInput& bad : kBadInputs) {
    const Scope scope(bad.name);
    Observation observation = frontal(scene, bad.scan);
    bad.spoil(observation);
    forEachSolver([&](const CpuKernels* kernels) {
      const Fitted fitted = scene.fit(kernels, observation.view(), {}, bad.scan);
      CHECK_EQUAL(fitted.failure, bad.expected);
      CHECK_EQUAL(fitted.status, FitStatus::kFailed);
      CHECK(!fitted.usable);
    });
  }
}

CASE(as_few_landmarks_as_allowed_are_enough) {
  Scene scene(smallModel(), kLandmarks);
  for (const bool scan : {false, true}) {
    Observation observation = frontal(scene, scan);
    const size_t kept = scan ? 3 * kMinimumScanLandmarks : 2 * kMinimumImageLandmarks;
    std::fill(observation.points.begin() + static_cast<std::ptrdiff_t>(kept), observation.points.end(), kUnknown);
    forEachSolver([&](const CpuKernels* kernels) {
      const Fitted fitted = scene.fit(kernels, observation.view(), {}, scan);
      CHECK_EQUAL(fitted.failure, FitFailure::kNone);
      checkSound(*scene.model, scene.basis(), FitOptions(), fitted, scan);
    });
  }
}

CASE(a_scheme_that_stands_on_one_spot_fails) {
  SyntheticModel synthetic(smallModel());
  const FaceModel model(synthetic.source());
  LandmarkSchemeSource source = synthetic.landmarks(10);
  const std::vector<int32_t> indices(30, 17);
  source.indices = indices.data();
  const LandmarkBasis basis(model, source);
  FitWorkspace<double> workspace(basis);
  Fitted fitted(model, basis);
  std::vector<double> points;
  Random random(1);
  for (int i = 0; i < 20; ++i) points.push_back(100 * random.normal());
  FitProblem problem;
  problem.points = points.data();
  problem.focal = problem.imageSize = problem.noise = kUnknown;
  fitReference(model, basis, FitOptions(), ObservationSpace::kImage, workspace, problem, fitted);
  CHECK_EQUAL(fitted.failure, FitFailure::kDegenerateLandmarks);
}

CASE(missing_points_are_reported_as_such) {
  Scene scene(smallModel(), kLandmarks);
  Observation observation = frontal(scene, false);
  observation.points[8] = kUnknown;
  observation.points[11] = kInfinity;
  observation.confidence.assign(kLandmarks, 1.0f);
  observation.confidence[6] = 0;
  forEachSolver([&](const CpuKernels* kernels) {
    const Fitted fitted = scene.fit(kernels, observation.view());
    CHECK(fitted.usable);
    for (int i = 0; i < kLandmarks; ++i) {
      const bool missing = i == 4 || i == 5 || i == 6;
      CHECK_EQUAL(std::isnan(fitted.residuals[i]), missing);
      CHECK_EQUAL(std::isnan(fitted.robustWeights[i]), missing);
    }
    checkSound(*scene.model, scene.basis(), FitOptions(), fitted, false);
  });
}

// A point that is missing has no say at all: neither its coordinates nor its confidence.
CASE(missing_points_change_nothing) {
  Scene scene(smallModel(), kLandmarks);
  Observation observation = frontal(scene, false);
  observation.confidence.assign(kLandmarks, 1.0f);
  observation.confidence[9] = 0;
  Observation other = observation;
  other.points[18] = 1e9;
  other.points[19] = kUnknown;
  forEachSolver([&](const CpuKernels* kernels) {
    const Fitted a = scene.fit(kernels, observation.view()), b = scene.fit(kernels, other.view());
    CHECK(a.usable);
    CHECK_EQUAL(a.finalCost, b.finalCost);
    CHECK(a.identities == b.identities && a.expressions == b.expressions);
  });
}

// Extreme but meaningful: whatever comes of it, it is sound.
CASE(extreme_cameras_and_noise_stay_sound) {
  Scene scene(smallModel(), kLandmarks);
  int usable = 0, count = 0;
  for (const double focal : {kUnknown, 1e-9, 1.0, 50.0, 1e5, 1e12, 1e300, -5.0, 0.0, kInfinity}) {
    for (const double imageSize : {kUnknown, 1e-9, 10.0, 1e5, 1e300, -1.0, kInfinity}) {
      for (const double noise : {kUnknown, 1e-9, 1e-4, 1e3, 1e300, 1e-300}) {
        for (const double scale : {1.0, 1e-30, 1e-5, 1e4}) {
          const Scope scope("focal ", focal, ", image ", imageSize, ", noise ", noise, ", scale ", scale);
          Observation observation = frontal(scene, false);
          observation.problem.focal = focal;
          observation.problem.imageSize = imageSize;
          observation.problem.noise = noise;
          for (double& value : observation.points) value *= scale;
          for (double& value : observation.problem.principal) value = scale < 1 ? kUnknown : value * scale;
          forEachSolver([&](const CpuKernels* kernels) {
            const Fitted fitted = scene.fit(kernels, observation.view());
            checkSound(*scene.model, scene.basis(), FitOptions(), fitted, false);
            usable += fitted.usable;
            ++count;
          });
        }
      }
    }
  }
  note(usable, " of ", count, " usable");
}

CASE(options_out_of_range_are_named) {
  const auto refused = [](const char* name, auto change) {
    FitOptions options;
    change(options);
    std::string why;
    CHECK(!options.isValid(&why));
    CHECK_EQUAL(why.substr(0, why.find(':')), std::string(name));
    CHECK(!options.isValid(nullptr));
  };
  std::string why;
  CHECK(FitOptions().isValid(&why));
  for (const int bad : {0, -1, 1001}) refused("maxIterations", [bad](FitOptions& o) { o.maxIterations = bad; });
  for (const double bad : {0.0, -1.0, kUnknown, kInfinity}) {
    refused("degreesOfFreedom", [bad](FitOptions& o) { o.degreesOfFreedom = bad; });
    refused("identityPrior", [bad](FitOptions& o) { o.identityPrior = bad; });
    refused("expressionPrior", [bad](FitOptions& o) { o.expressionPrior = bad; });
    refused("noise", [bad](FitOptions& o) { o.noise = bad; });
    refused("focalStddev", [bad](FitOptions& o) { o.focalStddev = bad; });
    refused("costTolerance", [bad](FitOptions& o) { o.costTolerance = bad; });
  }
  refused("costTolerance", [](FitOptions& o) { o.costTolerance = 1; });
}

// A bad problem in a batch leaves its neighbours as they would be without it, to the bit.
CASE(neighbours_of_bad_input_are_not_touched) {
  for (const bool scan : {false, true}) {
    Scene scene(smallModel(), kLandmarks);
    std::vector<Observation> good;
    for (int i = 0; i < 12; ++i) good.push_back(frontal(scene, scan));
    std::vector<Observation> mixed;
    std::vector<size_t> place;
    for (const Observation& observation : good) {
      for (const BadInput& bad : kBadInputs) {
        if (bad.scan != scan) continue;
        mixed.push_back(observation);
        bad.spoil(mixed.back());
      }
      place.push_back(mixed.size());
      mixed.push_back(observation);
    }
    for (const CpuKernels* kernels : cpuKernels()) {
      const Scope scope(kernels->name, ", scan ", scan);
      CpuBackend backend(*kernels, 1, 4);
      const auto alone = fitOn(backend, scene, good, {}, scan), among = fitOn(backend, scene, mixed, {}, scan);
      for (size_t i = 0; i < good.size(); ++i) {
        CHECK_EQUAL(alone->records[i * kRecordSize + kRecordUsable], 1.0);
        CHECK(sameFit(*alone, i, *among, place[i]));
      }
    }
  }
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
