// vertices = mean + basis * coefficients, for the vectors of the including translation unit's instruction set.
//
// A panel is 16 points; a register tile is kDecodeFaces faces times 3 accumulators (x, y, z of a vector's worth of points). Every vertex is
// one chain of fused multiply-adds that starts at the mean and runs through the columns in order, whatever the batch, so results
// do not depend on how a batch is cut. The pose is applied in registers before the three components are interleaved and stored once.
#pragma once

#include <string.h>

#include "cpu/CpuKernels.h"

namespace sfm {
namespace {

// Where halves are converted by hardware, doing so in every register tile costs less than the cache that a converted panel takes.
// Elsewhere a panel is converted once for more than a tile of faces.
constexpr bool convertFirst(int faces) { return Vec::kSlowHalves && faces > Vec::kDecodeFaces; }

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
          return multiplyAdd(broadcast(m[0]), x[f], multiplyAdd(broadcast(m[1]), y[f], multiplyAdd(broadcast(m[2]), z[f], broadcast(t))));
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

template <class Number>
void decodePanel(const DecodeBasis& basis, const DecodeFaces& faces, const float* mean, const Number* panel, int firstPoint,
                 int faceBegin, int faceEnd) {
  int face = faceBegin;
  for (; face + Vec::kDecodeFaces <= faceEnd; face += Vec::kDecodeFaces)
    decodeTile<Vec::kDecodeFaces>(basis, faces, mean, panel, firstPoint, face);
  // The rest in halving tiles.
  if constexpr (Vec::kDecodeFaces > 4) {
    if (face + 4 <= faceEnd) {
      decodeTile<4>(basis, faces, mean, panel, firstPoint, face);
      face += 4;
    }
  }
  if constexpr (Vec::kDecodeFaces > 2) {
    if (face + 2 <= faceEnd) {
      decodeTile<2>(basis, faces, mean, panel, firstPoint, face);
      face += 2;
    }
  }
  if (face < faceEnd) decodeTile<1>(basis, faces, mean, panel, firstPoint, face);
}

void decodeKernel(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin, int faceEnd,
                  float* scratch) {
  const size_t panelSize = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  for (int panel = panelBegin; panel < panelEnd; ++panel) {
    const float* mean = basis.mean.data() + static_cast<size_t>(panel) * DecodeBasis::kRow;
    const int firstPoint = panel * DecodeBasis::kPanel;
    if (!basis.isHalf()) {
      decodePanel(basis, faces, mean, basis.floats.data() + panelSize * panel, firstPoint, faceBegin, faceEnd);
    } else if (!convertFirst(faceEnd - faceBegin)) {
      decodePanel(basis, faces, mean, basis.halves.data() + panelSize * panel, firstPoint, faceBegin, faceEnd);
    } else {
      const uint16_t* halves = basis.halves.data() + panelSize * panel;
      for (size_t i = 0; i < panelSize; i += Vec::kLanes) store(scratch + i, load(halves + i));
      decodePanel(basis, faces, mean, static_cast<const float*>(scratch), firstPoint, faceBegin, faceEnd);
    }
  }
}

}  // namespace
}  // namespace sfm
