// A batch of fits as plain numbers: what every backend takes and gives.
#pragma once

#include <math.h>

#include <cstdint>
#include <string>

#include "core/Platform.h"
#include "core/RobustLoss.h"

namespace sfm {

// What the landmarks are measured in: pixels of an image, or millimetres of a scan.
enum class ObservationSpace { kImage, kScan };

struct FitOptions {
  int maxIterations = 50;
  RobustLoss loss = RobustLoss::kStudentT;
  double degreesOfFreedom = 4;     // nu of the Student-t loss
  bool boundExpression = true;     // keep expressions within the model's bounds
  double identityPrior = 1;        // weight of |v|^2 / 2
  double expressionPrior = 1;      // weight of |e / stddev|^2 / 2
  double noise = 1.24;  // standard deviation of a good landmark, mm on the face (2% of a 62 mm inter-ocular distance)
  double focalStddev = 0.35;  // of log f, when the focal length is estimated
  double costTolerance = 1e-6;  // stop when the relative decrease falls below it
  bool weakPerspective = false;
  bool nuisances = true;  // estimate the nuisances that model and scheme have; false: as if they had none
  bool posterior = false;  // report the information on the identity as well

  bool operator==(const FitOptions&) const = default;
  // In the manner of Ceres: false, and why, where a value makes no sense.
  bool isValid(std::string* why) const;
};

// What is known of an identity v besides its landmarks, in place of the model's prior: v ~ N(mean, precision^-1).
struct IdentityPrior {
  const double* mean = nullptr;  // [D]
  const double* precision = nullptr;  // [D,D], its weight included
};

// One face. Points are [L,2] pixels or [L,3] mm; a NaN coordinate or zero confidence marks a missing point.
struct FitProblem {
  const double* points = nullptr;
  const float* confidence = nullptr;  // [L], null: all 1
  double focal = 0;  // pixels; NaN: estimate (ignored by weak perspective and scans)
  double principal[2] = {0, 0};  // pixels; NaN: the middle of the points
  double imageSize = 0;  // max(width, height) in pixels; NaN: guessed from the points
  double noise = 0;  // standard deviation of a good landmark in pixels (image) or mm (scan); NaN: FitOptions::noise
  const IdentityPrior* identityPrior = nullptr;  // null: the model's
  const double* seed = nullptr;  // [seedSize] where an earlier fit ended, to go on from there; null: the mean face
  bool sizeFree = false;  // the priors of what is an image's own say nothing of the face's size (docs/joint.md)
  bool draft = false;  // on the way to something else: no uncertainty, and the nuisances stay
};

enum class FitStatus : uint8_t { kConverged, kMaxIterations, kFailed };

enum class FitFailure : uint8_t {
  kNone,
  kTooFewLandmarks,
  kDegenerateLandmarks,
  kCoordinatesTooLarge,
  kBehindCamera,
  kNumerical,
};

// Where the residuals' derivatives at the end of a fit go: what training differentiates fits by. Rows are whitened, times
// the square root of the landmark's weight over its sigma: w = (nu + d) / (nu + q) for Student's t, its bend left out. d
// is 2 for an image and 3 for a scan; rows of landmarks that are not in use are zero.
struct FitLinearisation {
  double* identity = nullptr;  // [D] v
  double* nuisances = nullptr;  // [Q + q], zero where they are not estimated
  double* expression = nullptr;  // [E]
  double* bounds = nullptr;  // [E] -1: at its lower bound, 1: at the upper one, 0: free
  double* weights = nullptr;  // [L] the factor of a landmark's rows
  double* derivatives = nullptr;  // [L,d,3] by the landmark's point in model space
  double* pose = nullptr;  // [L,d,7] by the rotation, then p, q, log s, log f, or the translation; else 0
  double* residuals = nullptr;  // [L,d] predicted - observed
  double* bareResiduals = nullptr;  // [L,d] of the face without its nuisances
};

// Where the results of one face go.
struct FitSolution {
  FitStatus status = FitStatus::kFailed;
  FitFailure failure = FitFailure::kNone;
  bool usable = false;
  int iterations = 0;
  double initialCost = 0;
  double finalCost = 0;
  double rmse = 0;  // pixels or mm, of the face without its nuisances
  double uncertainty = 0;  // radians
  double rotation[9] = {0};
  double translation[3] = {0};  // mm
  double focal = 0;  // pixels; 0 when weak or a scan
  double scale = 0;  // pixels per mm at the model's origin
  double principal[2] = {0, 0};
  float* identity = nullptr;  // [K]
  float* embedding = nullptr;  // [D]
  float* expression = nullptr;  // [E]
  float* residuals = nullptr;  // [L] pixels or mm, of the face without its nuisances; NaN where missing
  float* robustWeights = nullptr;  // [L] with its nuisances. 1: an inlier, 0: ignored; NaN where missing
  // The following are null where they are not wanted. A solver leaves the reduced normal matrix of v, its prior included,
  // as `information` and v as `shift`; whitenPosterior makes of these what is reported.
  double* information = nullptr;  // [D(D+1)/2] lower triangle, row by row
  double* shift = nullptr;  // [D]
  double* gradient = nullptr;  // [D] of the objective by v, all else eliminated: 0 at an optimum
  double* seed = nullptr;  // [seedSize] see core/FitSeed.h
  const FitLinearisation* linearisation = nullptr;
};

SFM_HD void fail(FitSolution* solution, FitFailure why) {
  solution->status = FitStatus::kFailed;
  solution->failure = why;
  solution->usable = false;
}

// Whether what a fit has reported, its failure apart, is to be used: a face whose landmarks miss by more than a
// centimetre is not that face.
SFM_HD bool isUsable(const FitSolution& solution) {
  constexpr double kPlausibleError = 10;  // mm
  return isfinite(solution.rmse) && isfinite(solution.uncertainty) && solution.rmse < kPlausibleError * solution.scale;
}

// Where an expression is in its bounds.
enum BoundState : signed char { kAtLower = -1, kFree = 0, kAtUpper = 1 };

constexpr int kPoseCapacity = 7;  // 3 rotation, then (p, q, log s[, log f]) or 3 translation
constexpr int kMinimumImageLandmarks = 6;
constexpr int kMinimumScanLandmarks = 4;
constexpr double kLargestCoordinate = 1e7;

}  // namespace sfm
