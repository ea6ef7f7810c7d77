// Decoding both sides of a face at once (core/MirroredBasis.h), for the vectors of the including translation unit's
// instruction set.
//
// A panel is 16 slots, each a vertex and its mirror image. A register tile of faces sums the even rows, then the odd ones,
// each number one chain of multiply-adds in the order of the rows, whatever the batch; their sum is what the left side adds to
// the mean, their difference the right side's.
#pragma once

#include "core/MirroredBasis.h"
#include "cpu/kernels/Decode.h"
#include "cpu/kernels/PlaceSides.h"

namespace sfm {
namespace {

// The even or the odd rows of a panel, and what a face has for the first of them.
struct PanelRows {
  const uint16_t* halves;
  const float* floats;
  int halfCount, floatCount;
  const float* coefficients;
};

template <int kFaces>
SFM_ALWAYS_INLINE void sumRows(const PanelRows& rows, int lane, int stride, Points<Vec>* sums) {
  Vec x[kFaces], y[kFaces], z[kFaces];
  for (int f = 0; f < kFaces; ++f) x[f] = y[f] = z[f] = zero();
  addRows<kFaces>(rows.halves + lane, rows.halfCount, rows.coefficients, stride, x, y, z);
  addRows<kFaces>(rows.floats + lane, rows.floatCount, rows.coefficients + rows.halfCount, stride, x, y, z);
  for (int f = 0; f < kFaces; ++f) sums[f] = {x[f], y[f], z[f]};
}

template <int kFaces>
SFM_ALWAYS_INLINE void decodeMirroredTile(const MirroredBasis& basis, const DecodeFaces& faces, int panel, int face) {
  constexpr int kPanel = MirroredBasis::kPanel, kRow = MirroredBasis::kRow;
  const int evenHalves = basis.even.halfCount, evenFloats = basis.even.floatCount, oddHalves = basis.odd.halfCount,
            oddFloats = basis.odd.floatCount;
  const int stride = evenHalves + evenFloats + oddHalves + oddFloats;
  const size_t at = static_cast<size_t>(panel) * kRow;
  const uint16_t* const halves = basis.halves.data() + at * static_cast<size_t>(evenHalves + oddHalves);
  const float* const floats = basis.floats.data() + at * static_cast<size_t>(evenFloats + oddFloats);
  const float* const coefficients = faces.coefficients + static_cast<size_t>(face) * stride;
  const PanelRows even = {halves, floats, evenHalves, evenFloats, coefficients};
  const PanelRows odd = {halves + evenHalves * kRow, floats + evenFloats * kRow, oddHalves, oddFloats,
                         coefficients + evenHalves + evenFloats};
  const MirroredBasis::Panel& places = basis.panels.data()[panel];
  const auto out = [&](int f) {
    return faces.vertices + (static_cast<size_t>(face + f) * basis.pointCount + places.vertex[0]) * 3;
  };
  // By the time there is something to store, its lines are there.
  if (places.contiguous)
    for (int f = 0; f < kFaces; ++f)
      for (int i = 0; i < 3 * places.count; i += 16) prefetchToWrite(out(f) + i);
  alignas(64) float sides[kFaces][2 * kRow];
  for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
    Points<Vec> plus[kFaces], minus[kFaces];
    sumRows<kFaces>(even, lane, stride, plus);
    sumRows<kFaces>(odd, lane, stride, minus);
    for (int f = 0; f < kFaces; ++f)
      placeSides(places, basis.mean.data() + 2 * at,
                 faces.poses ? faces.poses + static_cast<size_t>(face + f) * 12 : nullptr, lane, plus[f], minus[f],
                 out(f), sides[f]);
  }
  for (int f = 0; f < kFaces; ++f) scatterSides(places, sides[f], out(f));
}

// A tile of faces goes through some panels, which the second-level cache holds, before the next has its turn: see
// decodeFaces.
void decodeMirroredKernel(const MirroredBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                          int faceBegin, int faceEnd, float* /*scratch*/) {
  for (int first = panelBegin; first < panelEnd; first += kStagedPanels) {
    const int end = first + kStagedPanels < panelEnd ? first + kStagedPanels : panelEnd;
    inTiles<Vec::kDecodeFaces>(faceBegin, faceEnd, [&]<int kFaces>(int face) {
      for (int panel = first; panel < end; ++panel) decodeMirroredTile<kFaces>(basis, faces, panel, face);
    });
  }
}

}  // namespace
}  // namespace sfm
