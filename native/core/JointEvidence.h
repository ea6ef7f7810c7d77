// What one image of a joint fit says of the person (docs/joint.md): the image's own identity v, which
// lies around what the person's w makes of it, integrated out.
#pragma once

#include <vector>

#include "core/FaceModel.h"
#include "core/Fit.h"

namespace sfm {

// How an image's identity follows the person's: v ~ N(transfer w, precision^-1). Matrices [D,D], row by row.
struct PersonLink {
  std::vector<double> precision;  // P
  std::vector<double> coupling;  // P T, T the transfer
  std::vector<double> person;  // T^T P T
  std::vector<double> mean;  // [D] T w at the current w
};

// One pass of a joint fit over an image (cpu/JointSolver.h).
struct JointPass {
  const PersonLink* link = nullptr;
  const double* person = nullptr;  // [D] w
  double personPrior = 0;  // the image's part of the weight of w's prior
  bool sizeFree = false;  // priors say nothing of the face's size
  bool holdsScale = false;  // as they are in the pass before; otherwise at the scale at which the image is seen now
  bool relinearise = false;  // makes a normal matrix; otherwise that of an earlier pass serves
  bool last = false;  // the image's own optimum, and all that is reported of it
};

// A solver's reduced normal matrix `information` [D(D+1)/2] and `gradient` [D] of v at `v`, as FitSolution has them, of a
// fit under the model's own prior (or, with `linked`, under the link's), become those of w at the current w:
//     S_w = T^T (P - P (H + P)^-1 P) T        g_w = T^T P (T w - v'),   v' the best v for this w,
// without the prior of w; H is the landmarks' part. In place. False where the numbers do not allow it.
bool personEvidence(const FaceModel& model, double identityPrior, const PersonLink& link, bool linked, const double* v,
                    double* information, double* gradient);

}  // namespace sfm
