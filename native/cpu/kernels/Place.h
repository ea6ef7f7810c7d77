// From registers to memory: the pose, x y z side by side, and large outputs past the caches.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cpu/CpuKernels.h"

namespace sfm {
namespace {

// Points of a face to where its pose, where it has one, takes them.
SFM_ALWAYS_INLINE void turnVertices(const float* pose, Vec& x, Vec& y, Vec& z) {
  if (!pose) return;
  const auto turned = [&](const float* m, float t) {
    return multiplyAdd(broadcast(m[0]), x,
                       multiplyAdd(broadcast(m[1]), y, multiplyAdd(broadcast(m[2]), z, broadcast(t))));
  };
  const Vec px = turned(pose, pose[9]), py = turned(pose + 3, pose[10]), pz = turned(pose + 6, pose[11]);
  x = px;
  y = py;
  z = pz;
}

// `points` neighbouring points of a face, at most a vector's worth, in model space; `out` takes their 3 numbers each.
SFM_ALWAYS_INLINE void placeVertices(const float* pose, float* out, int points, Vec x, Vec y, Vec z) {
  turnVertices(pose, x, y, z);
  if (points >= Vec::kLanes) {
    storeInterleaved(out, x, y, z);
  } else {
    float last[3 * Vec::kLanes];
    storeInterleaved(last, x, y, z);
    memcpy(out, last, static_cast<size_t>(points) * 3 * sizeof(float));
  }
}

// Asks for the cache line of what will be written to soon.
SFM_ALWAYS_INLINE void prefetchToWrite([[maybe_unused]] const float* to) {
#if defined(__GNUC__)
  __builtin_prefetch(to, 1);
#endif
}

// Copies around the caches, by whole lines; what does not fill a line is stored plainly. fenceStreams() comes after.
inline void stream(float* SFM_RESTRICT to, const float* SFM_RESTRICT from, size_t count) {
  constexpr size_t kLine = 64;
  const size_t ahead = (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine / sizeof(float);
  const size_t first = ahead < count ? ahead : count;
  memcpy(to, from, first * sizeof(float));
  size_t i = first;
  for (; i + kLine / sizeof(float) <= count; i += kLine / sizeof(float))
    for (size_t lane = 0; lane < kLine / sizeof(float); lane += Vec::kLanes)
      storeStreaming(to + i + lane, load(from + i + lane));
  memcpy(to + i, from + i, (count - i) * sizeof(float));
}

// Where the panels [panelBegin, panelEnd) of some faces, a tile at a time, are written: to their places, or, where they
// are to go past the caches, to a stage that holds a face's part in one piece, since lines that are streamed in parts
// cost more than they save.
struct Stage {
  const DecodeBasis& basis;
  const DecodeFaces& faces;
  int panelBegin, panelEnd;
  float* scratch;  // of the faces of a tile, kStagedFaces * kStagedPanels * kRow

  SFM_ALWAYS_INLINE float* at(int face, int faceOfTile, int point) const {
    if (faces.stream)
      return scratch + (static_cast<size_t>(faceOfTile) * kStagedPanels * DecodeBasis::kPanel + point -
                        panelBegin * DecodeBasis::kPanel) *
                           3;
    return faces.vertices + (static_cast<size_t>(face) * basis.pointCount + point) * 3;
  }

  // After the panels of a tile of faces.
  SFM_ALWAYS_INLINE void finish(int face, int faceCount) const {
    if (!faces.stream) return;
    const int first = panelBegin * DecodeBasis::kPanel, end = panelEnd * DecodeBasis::kPanel,
              points = (end < basis.pointCount ? end : basis.pointCount) - first;
    for (int f = 0; f < faceCount; ++f)
      stream(faces.vertices + (static_cast<size_t>(face + f) * basis.pointCount + first) * 3, at(face + f, f, first),
             static_cast<size_t>(points) * 3);
  }
};

}  // namespace
}  // namespace sfm
