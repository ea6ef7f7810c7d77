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

// Where the points [first, end) of some faces, a tile at a time, are written: to their places, or, where they are to go
// past the caches, to a stage that holds a face's part in one piece, since lines that are streamed in parts cost more than
// they save.
struct Stage {
  const DecodeFaces& faces;
  int pointCount;  // of a face
  int first, end;
  bool streams;
  float* scratch;  // of the faces of a tile, each its points

  SFM_ALWAYS_INLINE float* at(int face, int faceOfTile, int point) const {
    if (streams) return scratch + (static_cast<size_t>(faceOfTile) * (end - first) + (point - first)) * 3;
    return faces.vertices + (static_cast<size_t>(face) * pointCount + point) * 3;
  }

  // After the points of a tile of faces.
  SFM_ALWAYS_INLINE void finish(int face, int faceCount) const {
    if (!streams) return;
    for (int f = 0; f < faceCount; ++f)
      stream(faces.vertices + (static_cast<size_t>(face + f) * pointCount + first) * 3, at(face + f, f, first),
             static_cast<size_t>(end - first) * 3);
  }
};

// That of some panels of a basis, whose points are neighbours.
SFM_ALWAYS_INLINE Stage stageOf(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                                float* scratch) {
  const int first = panelBegin * DecodeBasis::kPanel, whole = panelEnd * DecodeBasis::kPanel,
            end = whole < basis.pointCount ? whole : basis.pointCount;
  return {faces, basis.pointCount, first, end, faces.stream, scratch};
}

}  // namespace
}  // namespace sfm
