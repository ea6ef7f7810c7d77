// The units of work that a backend takes: they own their inputs and outputs, so that nothing a caller does meanwhile
// can matter.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/FaceModel.h"
#include "core/Fit.h"
#include "core/FitRecord.h"
#include "core/FitSeed.h"
#include "core/JointEvidence.h"
#include "core/LandmarkBasis.h"
#include "core/Posterior.h"

namespace sfm {

struct JointImages;  // cpu/JointImage.h

// A landmark scheme of a model, for fitting and for decoding its points alone.
struct LandmarkScheme {
  LandmarkScheme(const FaceModel& model, const LandmarkSchemeSource& source);
  LandmarkBasis basis;
  DecodeBasis points;
  DeviceCopies deviceCopies;
};

struct FitBatch {
  std::string warning;  // why another device than the one asked for did the work; empty: it did not
  std::shared_ptr<const FaceModel> model;
  std::shared_ptr<const LandmarkScheme> scheme;
  FitOptions options;
  ObservationSpace space = ObservationSpace::kImage;
  int count = 0;
  std::vector<double> points;  // [B,L,2|3]
  std::vector<float> confidence;  // [B,L] or empty
  std::vector<double> cameras;  // [B,5] focal, principal x and y, image size, noise; NaN: unknown
  AlignedBuffer<double> records;  // out [B,kRecordSize]
  // out [B, K + D + E + L + L]: identity, embedding, expression, residuals, robust weights; with a posterior
  // D(D+1)/2 + D more: information, shift
  AlignedBuffer<float> arrays;
  bool precise = false;    // fits in double precision
  bool linearise = false;  // tells the derivatives of the residuals, for training
  AlignedBuffer<double> linearisations;  // out [B, linearisationSize()], the members of FitLinearisation in their order

  // The batch is of one person: a fit of each image by itself, that says what it means for the person; or one pass of a
  // joint fit.
  struct Joint {
    PersonLink link;
    bool linked = false;  // whether the link is the prior of the fits; false: the model's own
    bool sizeFree = false;
    bool draft = true;
    std::vector<double> seeds;  // [B, seedSize] or empty
    struct Pass {
      std::vector<double> person;  // [D] w
      std::vector<double> members;  // [B] whether an image is of the person: not 0
      double personPrior = 0;
      bool holdsScale = false, relinearise = true, last = false;  // see JointPass
      bool evidence = false;  // whether `evidence` is wanted
    };
    std::optional<Pass> pass;
  };
  std::unique_ptr<const Joint> joint;
  std::shared_ptr<JointImages> images;  // in and out, of passes: null before the first
  AlignedBuffer<double> seeds;  // out [B, seedSize]
  AlignedBuffer<double> evidence;  // out [B, D(D+1)/2 + D]: information and gradient of the person

  static constexpr int kCameraSize = 5;
  int dimensions() const { return space == ObservationSpace::kImage ? 2 : 3; }
  size_t arraysPerFit() const;
  size_t linearisationSize() const;
  void allocate();
  // What problem i is, and where its solution goes; `store` writes the solution's numbers to the record.
  FitProblem problem(int i) const;
  FitSolution solution(int i);
  FitLinearisation linearisation(int i);
  void store(int i, const FitSolution& solution);
};

// How a device decodes that has more than one way. Within 0.001 mm for latents within five standard deviations; faster,
// within 0.1 mm; in single precision throughout. A CPU with matrix tiles takes them for the first two if the basis has 16
// bits; one without knows only the last.
enum class DecodePrecision { kStandard, kFast, kExact };

struct DecodeBatch {
  std::string warning;  // as FitBatch's
  std::shared_ptr<const FaceModel> model;
  std::shared_ptr<const LandmarkScheme> scheme;  // null: the whole mesh
  int count = 0;
  std::vector<float> coefficients;  // [B,columnCount]
  std::vector<float> poses;  // [B,12] or empty
  DecodePrecision precision = DecodePrecision::kStandard;
  float* vertices = nullptr;  // out [B,points,3]: `owned`, or memory that outlives the batch
  AlignedBuffer<float> owned;
  AlignedBuffer<float> normals;  // out [B,points,3] or empty

  const DecodeBasis& basis() const { return scheme ? scheme->points : model->decodeBasis(); }
};

}  // namespace sfm
