// vertices = mean + basis * coefficients, for the vectors of the including translation unit's instruction set.
//
// A panel is 16 points; a register tile is kDecodeFaces faces times 3 accumulators (x, y, z of a vector's worth of
// points). Every vertex is one chain of fused multiply-adds that starts at the mean and runs through the columns in
// order, whatever the batch, so results do not depend on how a batch is cut. The pose is applied in registers before
// the three components are interleaved and stored once.
#pragma once

#include "cpu/CpuKernels.h"
#include "cpu/kernels/Place.h"

namespace sfm {
namespace {

// Where halves are converted by hardware, doing so in every register tile costs less than the cache that a converted
// panel takes. Elsewhere a panel is converted once for more than a tile of faces.
constexpr bool convertFirst(int faces) { return Vec::kSlowHalves && faces > Vec::kDecodeFaces; }

static_assert(Vec::kDecodeFaces <= kStagedFaces);

// To each face's x, y and z the rows of a basis, from `row` on, times as many of its coefficients. `stride` is how far the
// faces' coefficients are apart.
template <int kFaces, class Number>
SFM_ALWAYS_INLINE void addRows(const Number* SFM_RESTRICT row, int rows, const float* SFM_RESTRICT coefficients,
                               int stride, Vec* x, Vec* y, Vec* z) {
  constexpr int kPanel = DecodeBasis::kPanel, kRow = DecodeBasis::kRow;
  for (int r = 0; r < rows; ++r, row += kRow) {
    const Vec bx = load(row), by = load(row + kPanel), bz = load(row + 2 * kPanel);
    for (int f = 0; f < kFaces; ++f) {
      const Vec k = broadcast(coefficients[static_cast<long long>(f) * stride + r]);
      x[f] = multiplyAdd(bx, k, x[f]);
      y[f] = multiplyAdd(by, k, y[f]);
      z[f] = multiplyAdd(bz, k, z[f]);
    }
  }
}

// Calls tile.template operator()<faces>(face) for the faces [begin, end), kFaces at a time and the rest in halving tiles.
template <int kFaces, class Tile>
SFM_ALWAYS_INLINE void inTiles(int begin, int end, const Tile& tile) {
  for (; begin + kFaces <= end; begin += kFaces) tile.template operator()<kFaces>(begin);
  if constexpr (kFaces > 1) inTiles<kFaces / 2>(begin, end, tile);
}

template <int kFaces, class Number>
SFM_ALWAYS_INLINE void decodeTile(const DecodeBasis& basis, const Stage& stage, const Number* SFM_RESTRICT panel,
                                  int firstPoint, int face) {
  constexpr int kPanel = DecodeBasis::kPanel;
  const DecodeFaces& faces = stage.faces;
  const int columns = basis.columnCount;
  const float* const mean = basis.mean.data() + static_cast<size_t>(firstPoint / kPanel) * DecodeBasis::kRow;
  const float* SFM_RESTRICT coefficients = faces.coefficients + static_cast<long long>(face) * columns;
  for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
    const int points = basis.pointCount - firstPoint - lane;
    if (points <= 0) return;
    Vec x[kFaces], y[kFaces], z[kFaces];
    for (int f = 0; f < kFaces; ++f) {
      x[f] = load(mean + lane);
      y[f] = load(mean + kPanel + lane);
      z[f] = load(mean + 2 * kPanel + lane);
    }
    addRows<kFaces>(panel + lane, columns, coefficients, columns, x, y, z);
    for (int f = 0; f < kFaces; ++f)
      placeVertices(faces.poses ? faces.poses + static_cast<long long>(face + f) * 12 : nullptr,
                    stage.at(face + f, f, firstPoint + lane), points, x[f], y[f], z[f]);
  }
}

// The panels of the stage, of which `panels` is the first. A tile of faces goes through all of them before the next tile
// has its turn: its coefficients stay in the first-level cache, the panels stream from the second, and every face is
// written to in order.
template <int kFaces, class Number>
void decodeFaces(const DecodeBasis& basis, const Stage& stage, const Number* panels, int face) {
  constexpr int kPanel = DecodeBasis::kPanel;
  const size_t panelSize = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  for (int point = stage.first; point < stage.end; point += kPanel, panels += panelSize)
    decodeTile<kFaces>(basis, stage, panels, point, face);
  stage.finish(face, kFaces);
}

template <class Number>
void decodePanels(const DecodeBasis& basis, const Stage& stage, const Number* panels, int faceBegin, int faceEnd) {
  inTiles<Vec::kDecodeFaces>(faceBegin, faceEnd,
                             [&]<int kFaces>(int face) { decodeFaces<kFaces>(basis, stage, panels, face); });
}

void decodeKernel(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                  int faceEnd, float* scratch) {
  const size_t panelSize = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  const bool convert = basis.isHalf() && convertFirst(faceEnd - faceBegin);
  const int block = convert ? 1 : kStagedPanels;
  float* const converted = scratch + kStageSize;
  for (int panel = panelBegin; panel < panelEnd; panel += block) {
    const int end = panel + block < panelEnd ? panel + block : panelEnd;
    const Stage stage = stageOf(basis, faces, panel, end, scratch);
    const size_t at = panelSize * static_cast<size_t>(panel);
    if (!basis.isHalf()) {
      decodePanels(basis, stage, basis.floats.data() + at, faceBegin, faceEnd);
    } else if (!convert) {
      decodePanels(basis, stage, basis.halves.data() + at, faceBegin, faceEnd);
    } else {
      const uint16_t* halves = basis.halves.data() + at;
      for (size_t i = 0; i < panelSize; i += Vec::kLanes) store(converted + i, load(halves + i));
      decodePanels(basis, stage, static_cast<const float*>(converted), faceBegin, faceEnd);
    }
  }
  if (faces.stream) fenceStreams();
}

}  // namespace
}  // namespace sfm
