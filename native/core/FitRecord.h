// The numbers of one fit besides its arrays, in the order in which they cross to JavaScript (lib/fit/Results.ts reads
// them).
#pragma once

#include "core/Fit.h"

namespace sfm {

enum FitRecord {
  kRecordStatus,
  kRecordFailure,
  kRecordUsable,
  kRecordIterations,
  kRecordInitialCost,
  kRecordFinalCost,
  kRecordRmse,
  kRecordUncertainty,
  kRecordRotation,  // 9
  kRecordTranslation = kRecordRotation + 9,  // 3
  kRecordFocal = kRecordTranslation + 3,
  kRecordScale,
  kRecordPrincipal,  // 2
  kRecordSize = kRecordPrincipal + 2,
};

// How it ended.
SFM_HD void writeOutcome(const FitSolution& s, double* record) {
  record[kRecordStatus] = static_cast<double>(s.status);
  record[kRecordFailure] = static_cast<double>(s.failure);
  record[kRecordUsable] = s.usable ? 1 : 0;
}

SFM_HD void writeRecord(const FitSolution& s, double* record) {
  writeOutcome(s, record);
  record[kRecordIterations] = s.iterations;
  record[kRecordInitialCost] = s.initialCost;
  record[kRecordFinalCost] = s.finalCost;
  record[kRecordRmse] = s.rmse;
  record[kRecordUncertainty] = s.uncertainty;
  for (int c = 0; c < 9; ++c) record[kRecordRotation + c] = s.rotation[c];
  for (int c = 0; c < 3; ++c) record[kRecordTranslation + c] = s.translation[c];
  record[kRecordFocal] = s.focal;
  record[kRecordScale] = s.scale;
  for (int c = 0; c < 2; ++c) record[kRecordPrincipal + c] = s.principal[c];
}

}  // namespace sfm
