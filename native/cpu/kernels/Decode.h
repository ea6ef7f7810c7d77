// vertices = mean + basis * coefficients, for the vectors of the including translation unit's instruction set.
//
// A panel is 16 points; a register tile is kDecodeFaces faces times 3 accumulators (x, y, z of a vector's worth of
// points). Every vertex is one chain of fused multiply-adds that starts at the mean and runs through the columns in
// order, whatever the batch, so results do not depend on how a batch is cut. The pose is applied in registers before
// the three components are interleaved and stored once.
#pragma once

#include <string.h>

#include "cpu/CpuKernels.h"

namespace sfm {
namespace {

// Where halves are converted by hardware, doing so in every register tile costs less than the cache that a converted
// panel takes. Elsewhere a panel is converted once for more than a tile of faces.
constexpr bool convertFirst(int faces) { return Vec::kSlowHalves && faces > Vec::kDecodeFaces; }

// Panels that a tile of faces goes through at a time: a quarter of a megabyte of halves, which the second-level cache
// holds.
constexpr int kCachedPanels = 16;

template <int kFaces, class Number>
SFM_ALWAYS_INLINE void decodeTile(const DecodeBasis& basis, const DecodeFaces& faces, const float* mean,
                                  const Number* SFM_RESTRICT panel, int firstPoint, int face) {
  constexpr int kPanel = DecodeBasis::kPanel, kRow = DecodeBasis::kRow;
  const int columns = basis.columnCount;
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
    const Number* row = panel + lane;
    for (int c = 0; c < columns; ++c, row += kRow) {
      const Vec bx = load(row), by = load(row + kPanel), bz = load(row + 2 * kPanel);
      for (int f = 0; f < kFaces; ++f) {
        const Vec k = broadcast(coefficients[static_cast<long long>(f) * columns + c]);
        x[f] = multiplyAdd(bx, k, x[f]);
        y[f] = multiplyAdd(by, k, y[f]);
        z[f] = multiplyAdd(bz, k, z[f]);
      }
    }
    for (int f = 0; f < kFaces; ++f) {
      Vec px = x[f], py = y[f], pz = z[f];
      if (faces.poses) {
        const float* r = faces.poses + static_cast<long long>(face + f) * 12;
        const auto turned = [&](const float* m, float t) {
          return multiplyAdd(broadcast(m[0]), x[f],
                             multiplyAdd(broadcast(m[1]), y[f], multiplyAdd(broadcast(m[2]), z[f], broadcast(t))));
        };
        px = turned(r, r[9]);
        py = turned(r + 3, r[10]);
        pz = turned(r + 6, r[11]);
      }
      float* out = faces.vertices + (static_cast<long long>(face + f) * basis.pointCount + firstPoint + lane) * 3;
      if (points >= Vec::kLanes) {
        storeInterleaved(out, px, py, pz);
      } else {
        float last[3 * Vec::kLanes];
        storeInterleaved(last, px, py, pz);
        memcpy(out, last, static_cast<size_t>(points) * 3 * sizeof(float));
      }
    }
  }
}

// The panels from `panelBegin` on, of which `panels` is the first. A tile of faces goes through all of them before the
// next tile has its turn: its coefficients stay in the first-level cache, the panels stream from the second, and every
// face is written to in order.
template <int kFaces, class Number>
void decodeFaces(const DecodeBasis& basis, const DecodeFaces& faces, const Number* panels, int panelBegin, int panelEnd,
                 int face) {
  const size_t panelSize = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  for (int panel = panelBegin; panel < panelEnd; ++panel)
    decodeTile<kFaces>(basis, faces, basis.mean.data() + static_cast<size_t>(panel) * DecodeBasis::kRow,
                       panels + panelSize * static_cast<size_t>(panel - panelBegin), panel * DecodeBasis::kPanel, face);
}

template <class Number>
void decodePanels(const DecodeBasis& basis, const DecodeFaces& faces, const Number* panels, int panelBegin,
                  int panelEnd, int faceBegin, int faceEnd) {
  int face = faceBegin;
  for (; face + Vec::kDecodeFaces <= faceEnd; face += Vec::kDecodeFaces)
    decodeFaces<Vec::kDecodeFaces>(basis, faces, panels, panelBegin, panelEnd, face);
  // The rest in halving tiles.
  if constexpr (Vec::kDecodeFaces > 4) {
    if (face + 4 <= faceEnd) {
      decodeFaces<4>(basis, faces, panels, panelBegin, panelEnd, face);
      face += 4;
    }
  }
  if constexpr (Vec::kDecodeFaces > 2) {
    if (face + 2 <= faceEnd) {
      decodeFaces<2>(basis, faces, panels, panelBegin, panelEnd, face);
      face += 2;
    }
  }
  if (face < faceEnd) decodeFaces<1>(basis, faces, panels, panelBegin, panelEnd, face);
}

void decodeKernel(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                  int faceEnd, float* scratch) {
  const size_t panelSize = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  const bool convert = basis.isHalf() && convertFirst(faceEnd - faceBegin);
  const int block = convert ? 1 : kCachedPanels;
  for (int panel = panelBegin; panel < panelEnd; panel += block) {
    const int end = panel + block < panelEnd ? panel + block : panelEnd;
    const size_t at = panelSize * static_cast<size_t>(panel);
    if (!basis.isHalf()) {
      decodePanels(basis, faces, basis.floats.data() + at, panel, end, faceBegin, faceEnd);
    } else if (!convert) {
      decodePanels(basis, faces, basis.halves.data() + at, panel, end, faceBegin, faceEnd);
    } else {
      const uint16_t* halves = basis.halves.data() + at;
      for (size_t i = 0; i < panelSize; i += Vec::kLanes) store(scratch + i, load(halves + i));
      decodePanels(basis, faces, static_cast<const float*>(scratch), panel, end, faceBegin, faceEnd);
    }
  }
}

}  // namespace
}  // namespace sfm
