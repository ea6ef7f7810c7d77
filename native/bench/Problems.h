// Fit problems of the default model's sizes, and their export for another program that solves them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/Error.h"
#include "core/FitStart.h"
#include "test/Batches.h"
#include "test/Scene.h"

namespace sfm::bench {

class Problems {
 public:
  explicit Problems(int landmarks) : scene(options(), landmarks) {
    for (int i = 0; i < kDistinct; ++i) {
      test::View view;
      view.yaw = scene.random.uniform(-40, 40);
      view.pitch = scene.random.uniform(-15, 15);
      view.roll = scene.random.uniform(-15, 15);
      view.noise = 2;  // pixels
      observations_.push_back(scene.observation(scene.draw(view), view));
    }
  }

  // A batch of any size; what comes after the distinct ones repeats them.
  std::shared_ptr<FitBatch> batch(int count) const {
    std::vector<test::Observation> all;
    all.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) all.push_back(observations_[static_cast<size_t>(i % kDistinct)]);
    return test::makeBatch(scene, all, {}, false);
  }

  // Little-endian: int64 B, L, D, Q, E; then float64 inverse radius, mean [L,3], slack [L,3], identity rows [L,3,D],
  // nuisance rows [L,3,Q], expression rows [L,3,E], bounds [E,2], deviations [E], points [B,L,2], cameras [B,5], final
  // costs [B], rotations [9] and translations [3] that the fits start from [B,12].
  // `batch` has been fitted.
  void write(const std::string& path, const FitBatch& batch) const {
    const LandmarkBasis& basis = scene.basis();
    const FaceModel& model = *scene.model;
    std::vector<double> numbers{model.inverseRadius()};
    const auto add = [&numbers](const auto* values, size_t count) {
      numbers.insert(numbers.end(), values, values + count);
    };
    const size_t rows = 3 * static_cast<size_t>(basis.landmarkCount), e = static_cast<size_t>(basis.expressionCount);
    add(basis.mean.data(), rows);
    add(basis.slack.data(), rows);
    const auto columns = [&](int first, int count) {
      for (size_t row = 0; row < rows; ++row)
        add(basis.rows.data() + row * static_cast<size_t>(basis.stride) + first, static_cast<size_t>(count));
    };
    columns(0, basis.tangentCount);
    columns(basis.nuisanceStart, basis.nuisanceCount);
    columns(basis.expressionStart, basis.expressionCount);
    add(model.expressionBounds(), 2 * e);
    add(model.expressionStddev(), e);
    add(batch.points.data(), batch.points.size());
    add(batch.cameras.data(), batch.cameras.size());
    for (size_t i = 0; i < static_cast<size_t>(batch.count); ++i)
      numbers.push_back(batch.records[i * kRecordSize + kRecordFinalCost]);
    for (int i = 0; i < batch.count; ++i) addStart(batch.problem(i), &numbers);
    const int64_t sizes[] = {batch.count, basis.landmarkCount, basis.tangentCount, basis.nuisanceCount,
                             basis.expressionCount};
    FILE* file = std::fopen(path.c_str(), "wb");
    const bool written = file && std::fwrite(sizes, sizeof sizes, 1, file) == 1 &&
                         std::fwrite(numbers.data(), sizeof(double), numbers.size(), file) == numbers.size();
    if (!file || std::fclose(file) != 0 || !written) throw Error(ErrorCode::IO, path + " could not be written");
  }

  test::Scene scene;

 private:
  static constexpr int kDistinct = 4096;

  // The mean face's pose, as a solver finds it (FitSolver::start).
  void addStart(const FitProblem& problem, std::vector<double>* numbers) const {
    const LandmarkBasis& basis = scene.basis();
    std::vector<PosePoint> points(static_cast<size_t>(basis.landmarkCount));
    for (size_t l = 0; l < points.size(); ++l) {
      if (!posePoint(problem, 2, static_cast<int>(l), &basis.mean[3 * l], &basis.slack[3 * l], 1, &points[l]))
        throw Error(ErrorCode::INTERNAL, "a problem of a benchmark has no missing points");
      for (int a = 0; a < 2; ++a) points[l].observed[a] -= problem.principal[a];
    }
    FitPose pose;
    pose.camera.logFocal = std::log(problem.focal);
    startImage(OneLane(), points.data(), basis.landmarkCount,
               poseMoments(OneLane(), points.data(), basis.landmarkCount, 2), &pose);
    const double scale = std::exp(pose.camera.logScale);
    numbers->insert(numbers->end(), pose.rotation, pose.rotation + 9);
    numbers->insert(numbers->end(), {pose.camera.p / scale, pose.camera.q / scale, problem.focal / scale});
  }

  static test::SyntheticModelOptions options() {
    test::SyntheticModelOptions options;
    options.side = 40;
    options.tangent = 75;
    options.expressions = 53;
    options.withinIdentity = 25;
    options.half = true;
    return options;
  }

  std::vector<test::Observation> observations_;
};

}  // namespace sfm::bench
