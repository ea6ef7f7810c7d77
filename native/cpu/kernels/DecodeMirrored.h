// Decoding both sides of a face at once (core/MirroredBasis.h), for the vectors of the including translation unit's
// instruction set.
//
// A panel is 16 slots, each a vertex and its mirror image. A register tile of faces sums the even rows, then the odd ones,
// each number one chain of multiply-adds in the order of the rows, whatever the batch; their sum is what the left side adds to
// the mean, their difference the right side's.
#pragma once

#include "core/MirroredBasis.h"
#include "cpu/kernels/Decode.h"

namespace sfm {
namespace {

// Points of a face, a vector's worth.
template <class V>
struct Points {
  V x, y, z;
};

// The vertices of a panel where they are neighbours, in their order. Only vectors of a whole panel can do that, and a
// template asks no others to.
template <class V>
SFM_ALWAYS_INLINE void storeSides(float* out, const MirroredBasis::Panel& places, const Points<V>& left,
                                  const Points<V>& right) {
  if constexpr (V::kLanes == MirroredBasis::kPanel) {
    for (int first = 0; first < places.count; first += V::kLanes) {
      const int32_t* const lanes = places.lane + first;
      const int count = places.count - first;
      const V x = choose(lanes, left.x, right.x), y = choose(lanes, left.y, right.y),
              z = choose(lanes, left.z, right.z);
      if (count >= V::kLanes)
        storeInterleaved(out + 3 * first, x, y, z);
      else
        storeInterleavedFirst(out + 3 * first, x, y, z, count);
    }
  }
}

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
  constexpr bool kWholePanels = Vec::kLanes == kPanel;
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
  const auto out = [&](int f) { return faces.vertices + static_cast<size_t>(face + f) * basis.pointCount * 3; };
  // By the time there is something to store, its lines are there.
  if (places.contiguous)
    for (int f = 0; f < kFaces; ++f)
      for (int i = 0; i < 3 * places.count; i += 16)
        prefetchToWrite(out(f) + 3 * static_cast<size_t>(places.vertex[0]) + i);
  // Where vertices are not stored as they come: x y z of each slot, left and right.
  alignas(64) float sides[kFaces][2 * kRow];
  for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
    Points<Vec> plus[kFaces], minus[kFaces];
    sumRows<kFaces>(even, lane, stride, plus);
    sumRows<kFaces>(odd, lane, stride, minus);
    const float *const leftMean = basis.mean.data() + 2 * at + lane, *const rightMean = leftMean + kRow;
    for (int f = 0; f < kFaces; ++f) {
      const Points<Vec>&e = plus[f], &o = minus[f];
      Points<Vec> left = {add(load(leftMean), add(e.x, o.x)), add(load(leftMean + kPanel), add(e.y, o.y)),
                          add(load(leftMean + 2 * kPanel), add(e.z, o.z))};
      Points<Vec> right = {add(load(rightMean), subtract(o.x, e.x)), add(load(rightMean + kPanel), subtract(e.y, o.y)),
                           add(load(rightMean + 2 * kPanel), subtract(e.z, o.z))};
      const float* const pose = faces.poses ? faces.poses + static_cast<size_t>(face + f) * 12 : nullptr;
      turnVertices(pose, left.x, left.y, left.z);
      turnVertices(pose, right.x, right.y, right.z);
      if (kWholePanels && places.contiguous) {
        storeSides(out(f) + 3 * static_cast<size_t>(places.vertex[0]), places, left, right);
      } else {
        storeInterleaved(sides[f] + 3 * lane, left.x, left.y, left.z);
        storeInterleaved(sides[f] + kRow + 3 * lane, right.x, right.y, right.z);
      }
    }
  }
  if (kWholePanels && places.contiguous) return;
  for (int f = 0; f < kFaces; ++f)
    for (int i = 0; i < places.count; ++i)
      memcpy(out(f) + 3 * static_cast<size_t>(places.vertex[i]), sides[f] + 3 * places.lane[i], 3 * sizeof(float));
}

// A tile of faces goes through some panels, which the second-level cache holds, before the next has its turn: see
// decodeFaces.
void decodeMirroredKernel(const MirroredBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                          int faceBegin, int faceEnd) {
  for (int first = panelBegin; first < panelEnd; first += kStagedPanels) {
    const int end = first + kStagedPanels < panelEnd ? first + kStagedPanels : panelEnd;
    inTiles<Vec::kDecodeFaces>(faceBegin, faceEnd, [&]<int kFaces>(int face) {
      for (int panel = first; panel < end; ++panel) decodeMirroredTile<kFaces>(basis, faces, panel, face);
    });
  }
}

}  // namespace
}  // namespace sfm
