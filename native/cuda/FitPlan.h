// How a fit is laid out on a device: the order of its unknowns, and where everything is in shared memory and in the
// workspace.
#pragma once

#include <cstddef>

#include "core/Descent.h"
#include "core/FitPose.h"
#include "core/FitStart.h"
#include "core/LandmarkRows.h"
#include "cuda/FitKernel.h"

namespace sfm::cuda {

// The unknowns are ordered [ v: identity | nuisances | pose and camera | e: expressions ]: eliminating all but the last
// leaves the expressions' system, on which the bounds are imposed; and without identity and nuisances a smaller system
// of the last two remains, in the same columns. The pose has all its columns always (a focal length that is not
// estimated is held), and begins at a multiple of 4.
struct FitColumns {
  int identities;   // D
  int nuisances;    // from column D on
  int pose;         // its first column
  int expression;   // the expressions' first
  int expressions;  // E
  int count;        // of all
};

// What is solved for: all unknowns, expressions last; what the first strides are made with (core/Descent.h); pose and
// expressions, the rest being held; or all, identity last.
enum class Unknowns : int { kAll, kCoarse, kPose, kIdentityLast };

// The columns that this is about: so many of the identities, and all behind those that are skipped.
struct FitSystem {
  int identities;
  int skipped;
  int count;
  int eliminated;  // of them

  SFM_CONSTANT_HD int unknown(int column) const { return column < identities ? column : column + skipped; }
  // -1: it is not among them.
  SFM_CONSTANT_HD int column(int unknown) const {
    if (unknown < identities) return unknown;
    return unknown < identities + skipped ? -1 : unknown - skipped;
  }
};

SFM_CONSTANT_HD FitSystem systemOf(Unknowns unknowns, const FitColumns& columns) {
  if (unknowns == Unknowns::kIdentityLast)
    return {columns.identities, 0, columns.count, columns.count - columns.identities};
  // Rows of the basis are read four columns at a time.
  const int coarse = (columns.identities < kCoarseIdentities ? columns.identities : kCoarseIdentities) / 4 * 4;
  const int identities = unknowns == Unknowns::kAll ? columns.identities : (unknowns == Unknowns::kCoarse ? coarse : 0);
  const int skipped = unknowns == Unknowns::kAll ? 0 : columns.pose - identities;
  return {identities, skipped, columns.count - skipped, columns.expression - skipped};
}

// The matrix of the normal equations is dealt out to the threads in square tiles of its lower triangle, one to each.
constexpr int kTile = 8;
constexpr int kSmallBlock = 256;
constexpr int kLargeBlock = 512;
constexpr int kRowTable = 12;         // numbers that a row of the Jacobian is made of, see FitBlock::fillRowTable
constexpr int kLargestScheme = 4096;  // landmarks

constexpr int roundUpTo(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

// The right-hand side is one more column: the first of a tile of its own.
SFM_CONSTANT_HD int residualColumn(int unknowns) { return (unknowns + kTile - 1) / kTile * kTile; }
SFM_CONSTANT_HD int tilesOf(int unknowns) { return residualColumn(unknowns) / kTile + 1; }
SFM_CONSTANT_HD bool tilesFit(int unknowns, int threads) {
  return tilesOf(unknowns) * (tilesOf(unknowns) + 1) / 2 <= threads;
}

// A triangle of n rows, packed row by row.
SFM_CONSTANT_HD int triangleSize(int n) { return n * (n + 1) / 2; }

// Of the triangles that are swept in a small block's registers, the numbers a thread has at most: of the expressions' system
// with its right-hand side, and of the identity's.
constexpr int kExpressionNumbers = 6, kIdentityNumbers = 12;
SFM_CONSTANT_HD bool fitsSmallBlock(const FitColumns& columns) {
  return tilesFit(columns.count, kSmallBlock) &&
         triangleSize(columns.expressions + 1) <= kExpressionNumbers * kSmallBlock &&
         triangleSize(columns.identities) <= kIdentityNumbers * kSmallBlock;
}

// What is reported of a problem besides its record, floats: FitBatch::arraysPerFit.
SFM_CONSTANT_HD long long reportedSize(const DeviceFitModel& model, const FitOptions& options) {
  return model.identityCount + model.tangentCount + model.expressionCount + 2 * model.landmarkCount +
         (options.posterior ? triangleSize(model.tangentCount) + model.tangentCount : 0);
}

// What FitBlock's BoxArrays take for n variables.
SFM_CONSTANT_HD int boxFloats(int n) { return 10 * n + 2; }

// The factor U of a system of `tiles` tiles a side lies in panels of 8 rows, each from its diagonal on. The rows' slack
// of 4 keeps neighbours in different banks.
SFM_CONSTANT_HD int panelStride(int tiles, int panel) { return kTile * (tiles - panel) + 4; }
SFM_CONSTANT_HD int panelStart(int tiles, int panel) { return 4 * kTile * panel * (2 * tiles - panel + 2); }

// Where a fit starts: what Start.cuh makes of its landmarks.
struct StartRecord {
  FitFailure failure;
  FitPose pose;
  PoseFreedom freedom;
  StartNoise noise;
};

struct FitPlan {
  FitColumns columns;
  int threads;         // of a block
  int landmarks;       // that the model has
  int landmarkStride;  // of arrays by axis or column
  int basisStride;     // of the arranged basis' rows, floats
  int rowFloats;       // for rows of the Jacobian or of the factor, the first of the arrays in shared memory
  // Where the other arrays are, in floats.
  int triangle, latents, step, gradient, diagonal, box;
  int sharedFloats;
  // Where things are in a block's slab, bytes.
  size_t evaluation[2], observed, inverseVariance, active, derivatives, slopes, rowTable, pull[2], normal;
  size_t slab;
  // Where things are in the workspace, bytes.
  size_t rowBasis, columnBasis, mean, slack, precision, counter, starts, slabs;
  size_t workspaceBytes;
};

// For `count` problems on `blocks` blocks.
FitPlan planFit(const DeviceFitModel& model, const FitOptions& options, int count, int blocks);

}  // namespace sfm::cuda
