// Where a fit starts: the landmarks in use, the pose of the mean face (core/PoseStart.h), the noise.
#pragma once

#include <math.h>

#include "core/Fit.h"
#include "core/FitPose.h"
#include "core/PoseStart.h"

namespace sfm {

constexpr double kGentleNoise = 1;  // mm, see startNoise
constexpr double kSinglePrecisionBlur = 20;  // landmarks better than kGentleNoise / 20 are fitted in double precision

// Landmark `landmark` of a problem as the start sees it; false where it is missing. `mean` and `slack`: [3], its place on
// the mean face is their sum.
SFM_HD bool posePoint(const FitProblem& problem, int dimensions, int landmark, const float* mean, const float* slack,
                      double noiseFactor, PosePoint* pose) {
  const double* point = problem.points + static_cast<long>(landmark) * dimensions;
  const double confidence = problem.confidence ? problem.confidence[landmark] : 1;
  bool usable = confidence > 0;
  for (int a = 0; a < dimensions; ++a) usable &= isfinite(point[a]) != 0;
  if (!usable) return false;
  for (int a = 0; a < 3; ++a) {
    pose->model[a] = static_cast<double>(mean[a]) + static_cast<double>(slack[a]);
    pose->observed[a] = a < dimensions ? point[a] : 0;
  }
  pose->weight = confidence / (noiseFactor * noiseFactor);
  return true;
}

// The box of the observations.
struct ObservedExtent {
  double low[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
  double high[3] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
};

SFM_HD void include(const PosePoint& point, ObservedExtent* extent) {
  for (int a = 0; a < 3; ++a) {
    const double value = point.observed[a];
    extent->low[a] = value < extent->low[a] ? value : extent->low[a];
    extent->high[a] = value > extent->high[a] ? value : extent->high[a];
  }
}

// Whether that many landmarks in that box are a problem at all.
SFM_HD FitFailure checkLandmarks(bool image, int count, const ObservedExtent& extent) {
  if (count < (image ? kMinimumImageLandmarks : kMinimumScanLandmarks)) return FitFailure::kTooFewLandmarks;
  for (int a = 0; a < 3; ++a)
    if (extent.low[a] < -kLargestCoordinate || extent.high[a] > kLargestCoordinate)
      return FitFailure::kCoordinatesTooLarge;
  return FitFailure::kNone;
}

SFM_HD FitFailure checkMoments(const PoseMoments& moments) {
  const bool determined = moments.weight > 0 && spansPlane(moments.modelSpread) && spansPlane(moments.observedSpread);
  return determined ? FitFailure::kNone : FitFailure::kDegenerateLandmarks;
}

SFM_HD void startScan(const PoseMoments& m, FitPose* pose) {
  nearestRotation(m.crossMoment, pose->rotation);
  for (int a = 0; a < 3; ++a) {
    pose->translation[a] = m.observed[a];
    for (int b = 0; b < 3; ++b) pose->translation[a] -= pose->rotation[3 * a + b] * m.model[b];
  }
}

// The camera, as far as it is known without its pose.
SFM_HD FitFailure startCamera(const FitProblem& problem, bool weak, const ObservedExtent& observed, Camera* camera,
                              PoseFreedom* freedom) {
  camera->weak = weak;
  const double width = observed.high[0] - observed.low[0], height = observed.high[1] - observed.low[1];
  const double extent = width > height ? width : height;
  // Field of view about 45 degrees; of an unknown image we know that the landmarks tend to fill some 40% of it.
  const double imageSize = isfinite(problem.imageSize) && problem.imageSize > 0 ? problem.imageSize : 2.5 * extent;
  const bool known = isfinite(problem.focal) && problem.focal > 0;
  freedom->focalPrior = log(known ? problem.focal : 1.2 * imageSize);
  for (int a = 0; a < 2; ++a) {
    camera->principal[a] =
        isfinite(problem.principal[a]) ? problem.principal[a] : 0.5 * (observed.low[a] + observed.high[a]);
    if (fabs(camera->principal[a]) > kLargestCoordinate) return FitFailure::kCoordinatesTooLarge;
  }
  camera->logFocal = freedom->focalPrior;
  freedom->estimateFocal = !weak && !known;
  return FitFailure::kNone;
}

// The pose in an image. From here on pixels are counted from the principal point: so are those of points and moments.
template <class Lanes, class Points>
SFM_HD FitFailure startImage(const Lanes& lanes, const Points& points, int count, const PoseMoments& m,
                             FitPose* start) {
  Camera& camera = start->camera;
  const double inverseFocal = camera.weak ? 0 : exp(-camera.logFocal);
  double best = HUGE_VAL;
  for (int candidate = 0; candidate < 2; ++candidate) {
    ImagePose pose = affinePose(m, candidate == 1);
    constexpr double kMeanFaceError = 4;  // mm: how far a face's landmarks are from the mean face's
    constexpr int kPoseSteps = 4;
    const double cost = refinePose(lanes, points, count, inverseFocal, kMeanFaceError, kPoseSteps, &pose);
    if (!(cost < best)) continue;
    best = cost;
    for (int i = 0; i < 9; ++i) start->rotation[i] = pose.rotation[i];
    camera.p = pose.p;
    camera.q = pose.q;
    camera.logScale = pose.logScale;
  }
  return best < HUGE_VAL ? FitFailure::kNone : FitFailure::kBehindCamera;
}

// The standard deviation of a good landmark, and the factor on it that the descent begins with. Exact landmarks make a
// narrow curved valley, which no quadratic model sees far along: it is approached from landmarks of a millimetre's
// noise, half as much at each iteration.
struct StartNoise {
  double sigma;
  double blur;
};

SFM_HD StartNoise startNoise(const FitOptions& options, double problemNoise, bool image, const FitPose& pose) {
  const double pixelsPerMm = image ? exp(pose.camera.logScale) : 1;
  const double sigma = isnan(problemNoise) ? options.noise * pixelsPerMm : problemNoise;
  return {sigma, kGentleNoise * pixelsPerMm > sigma ? kGentleNoise * pixelsPerMm / sigma : 1};
}

// An expression at rest, or at the bound nearest to it. `bounds`: [2].
SFM_HD float startExpression(const FitOptions& options, const float* bounds) {
  double value = 0;
  if (options.boundExpression) {
    const double lower = bounds[0], upper = bounds[1];
    value = value < lower ? lower : (value > upper ? upper : value);
  }
  return static_cast<float>(value);
}

}  // namespace sfm
