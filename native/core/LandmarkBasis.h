// The rows of the basis at the landmarks of one scheme, gathered once.
#pragma once

#include <vector>

#include "core/FaceModel.h"

namespace sfm {

struct LandmarkSchemeSource {
  int count = 0;                        // L
  const int32_t* indices = nullptr;     // [L,3]
  const float* weights = nullptr;       // [L,3]; a row of zeros: the model lacks this landmark
  const float* noiseFactors = nullptr;  // [L] multiples of the noise's standard deviation; null: all 1
  const float* offsets = nullptr;       // [L,3] mm in model space; null: none
  int correlatedNoiseCount = 0;         // q
  const float* correlatedNoise = nullptr;  // [q,L,3] mm in model space: a factor of the landmarks' noise
};

struct LandmarkBasis {
  LandmarkBasis(const FaceModel& model, const LandmarkSchemeSource& source);

  int landmarkCount;              // L of the scheme
  int tangentCount;               // D
  int expressionCount;            // E
  int nuisanceCount;              // Q + q: the model's variation within one identity, then the scheme's noise
  int nuisanceStart;              // column at which a row's nuisances begin: D rounded up to 16
  int expressionStart;            // and its expressions: after the nuisances, rounded up to 16
  int stride;                     // floats in a row, a multiple of 16
  std::vector<int> present;       // landmarks that the model has
  std::vector<float> noiseFactors;  // [L]
  AlignedBuffer<float> mean;      // [L][3]
  AlignedBuffer<float> slack;     // [L][3] r * a_t
  AlignedBuffer<float> rows;      // [L][3][stride]
};

}  // namespace sfm
