// Where a face is and how it is seen: the unknowns of a fit besides its latents.
#pragma once

#include <math.h>

#include "core/Camera.h"
#include "core/Fit.h"
#include "core/Rotation.h"

namespace sfm {

struct FitPose {
  double rotation[9];
  Camera camera;          // of an image
  double translation[3];  // mm, of a scan
};

// A face that looks into the camera, or stands in the axes of its scan.
SFM_HD void setRestPose(bool image, FitPose* pose) {
  for (int i = 0; i < 9; ++i) pose->rotation[i] = (i % 4 == 0) ? (i == 0 || !image ? 1 : -1) : 0;
  for (int a = 0; a < 3; ++a) pose->translation[a] = 0;
  pose->camera = Camera{};
}

// What of the camera every landmark needs.
struct Sight {
  double scale;         // pixels per mm at the model's origin
  double inverseFocal;  // 0: weak perspective
};

SFM_HD Sight sightOf(const FitPose& pose) {
  return {exp(pose.camera.logScale), pose.camera.weak ? 0 : exp(-pose.camera.logFocal)};
}

// How a fit may change its pose.
struct PoseFreedom {
  bool image;          // else a scan
  bool estimateFocal;  // images only
  double focalPrior;   // log of pixels
};

SFM_HD int poseUnknowns(const PoseFreedom& freedom) { return freedom.estimateFocal ? 7 : 6; }

// The part of a step that every part of it trusts: an arc of 0.8 radians on the sphere (0 for a flat model), 0.6 of
// turn, factors of e^0.7 in scale and e in focal length. `step`: rotation, then p, q, log s and log f, or translation.
SFM_HD double trustedFraction(const PoseFreedom& freedom, double arc, const double* step) {
  const double turn = sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2]);
  const double lengths[4] = {arc, turn, freedom.image ? fabs(step[5]) : 0,
                             freedom.image && freedom.estimateFocal ? fabs(step[6]) : 0};
  const double most[4] = {0.8, 0.6, 0.7, 1};
  double fraction = 1;
  for (int i = 0; i < 4; ++i)
    if (lengths[i] * fraction > most[i]) fraction = most[i] / lengths[i];
  return fraction;
}

// The pose a fraction of a step away.
SFM_HD void movePose(const PoseFreedom& freedom, const FitPose& from, double fraction, const double* step,
                     FitPose* to) {
  const double omega[3] = {fraction * step[0], fraction * step[1], fraction * step[2]};
  double turn[9];
  rotationExp(omega, turn);
  multiply3x3(turn, from.rotation, to->rotation);
  orthonormalise(to->rotation);
  to->camera = from.camera;
  if (freedom.image) {
    to->camera.p += fraction * step[3];
    to->camera.q += fraction * step[4];
    to->camera.logScale += fraction * step[5];
    if (freedom.estimateFocal) {
      const double logFocal = from.camera.logFocal + fraction * step[6];
      const double low = freedom.focalPrior - 2.5, high = freedom.focalPrior + 4;
      to->camera.logFocal = logFocal < low ? low : (logFocal > high ? high : logFocal);
    }
  } else {
    for (int a = 0; a < 3; ++a) to->translation[a] = from.translation[a] + fraction * step[3 + a];
  }
}

// The pose as a solution states it.
SFM_HD void reportPose(bool image, const FitPose& pose, FitSolution* solution) {
  const Camera& camera = pose.camera;
  for (int i = 0; i < 9; ++i) solution->rotation[i] = pose.rotation[i];
  const double scale = image ? exp(camera.logScale) : 1;
  solution->scale = scale;
  solution->focal = image && !camera.weak ? exp(camera.logFocal) : 0;
  for (int a = 0; a < 2; ++a) solution->principal[a] = camera.principal[a];
  if (image) {
    solution->translation[0] = camera.p / scale;
    solution->translation[1] = camera.q / scale;
    solution->translation[2] = camera.weak ? 0 : solution->focal / scale;
  } else {
    for (int a = 0; a < 3; ++a) solution->translation[a] = pose.translation[a];
  }
}

}  // namespace sfm
