// From the sums of a panel's even and odd parts (core/MirroredBasis.h) to where the vertices of both sides go.
#pragma once

#include "core/MirroredBasis.h"
#include "cpu/kernels/Place.h"

namespace sfm {
namespace {

// Points of a face, a vector's worth.
template <class V>
struct Points {
  V x, y, z;
};

// Whether a panel's vertices go to their places by permutations in registers: they are neighbours, and a vector holds a
// whole panel.
SFM_ALWAYS_INLINE bool isStoredWhole(const MirroredBasis::Panel& places) {
  return Vec::kLanes == MirroredBasis::kPanel && places.contiguous;
}

// The vertices of such a panel, in their order. Only vectors of a whole panel can do that, and a template asks no others
// to.
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

// A vector's worth of slots, from `lane` on, of a panel whose means are `mean` [left, right][48]. `out` is where its first
// vertex goes. What is not stored whole waits in `sides`, x y z of each slot, left and right, for scatterSides.
SFM_ALWAYS_INLINE void placeSides(const MirroredBasis::Panel& places, const float* mean, const float* pose, int lane,
                                  const Points<Vec>& even, const Points<Vec>& odd, float* out, float* sides) {
  constexpr int kPanel = MirroredBasis::kPanel, kRow = MirroredBasis::kRow;
  const float *const leftMean = mean + lane, *const rightMean = leftMean + kRow;
  Points<Vec> left = {add(load(leftMean), add(even.x, odd.x)), add(load(leftMean + kPanel), add(even.y, odd.y)),
                      add(load(leftMean + 2 * kPanel), add(even.z, odd.z))};
  Points<Vec> right = {add(load(rightMean), subtract(odd.x, even.x)),
                       add(load(rightMean + kPanel), subtract(even.y, odd.y)),
                       add(load(rightMean + 2 * kPanel), subtract(even.z, odd.z))};
  turnVertices(pose, left.x, left.y, left.z);
  turnVertices(pose, right.x, right.y, right.z);
  if (isStoredWhole(places)) {
    storeSides(out, places, left, right);
  } else {
    storeInterleaved(sides + 3 * lane, left.x, left.y, left.z);
    storeInterleaved(sides + kRow + 3 * lane, right.x, right.y, right.z);
  }
}

// The vertices that placeSides has left, once it has had all slots of the panel.
SFM_ALWAYS_INLINE void scatterSides(const MirroredBasis::Panel& places, const float* sides, float* out) {
  if (isStoredWhole(places)) return;
  for (int i = 0; i < places.count; ++i)
    memcpy(out + 3 * static_cast<size_t>(places.vertex[i] - places.vertex[0]), sides + 3 * places.lane[i],
           3 * sizeof(float));
}

}  // namespace
}  // namespace sfm
