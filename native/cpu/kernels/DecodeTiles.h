// vertices = mean + basis * coefficients on matrix tiles of bf16, for a basis of 16-bit floats.
//
// A number of such a basis has 11 significant bits, so it is the sum of two bf16 numbers (8 bits each) exactly; a
// coefficient is within 2^-17 of the sum of its own two. All four products of their parts, summed in single precision, are
// what decoding usually takes; leaving out that of the smaller parts, 2^-16 of the whole at most, is the faster way.
// docs/performance.md has the errors.
//
// Faces are the rows of a tile, points its columns, columns of the basis what is summed over, 32 at a time. Every number is
// summed in the same order whatever the batch, so results do not depend on how a batch is cut.
#pragma once

#include "cpu/CpuKernels.h"
#include "cpu/kernels/Place.h"

namespace sfm {
namespace {

constexpr int kTileFaces = 16;
constexpr int kTilePairs = 16;  // of columns of the basis
constexpr int kTileWords = kTilePairs * kTileFaces;  // of two bf16 each
constexpr int kStepColumns = 2 * kTilePairs;

static_assert(DecodeBasis::kPanel == 16, "a tile is as wide as a panel");
static_assert(2 * kTileFaces <= kStagedFaces);

SFM_ALWAYS_INLINE uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

SFM_ALWAYS_INLINE float floatOf(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// The nearest bf16 number, ties to even, as the upper half of a float.
SFM_ALWAYS_INLINE uint32_t nearestBfloat(float value) {
  const uint32_t bits = bitsOf(value);
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
}

// Two neighbouring columns' numbers as the parts of their words: the first in the lower half.
SFM_ALWAYS_INLINE void splitPair(float even, float odd, uint32_t* high, uint32_t* low) {
  const uint32_t evenHigh = nearestBfloat(even), oddHigh = nearestBfloat(odd);
  *high = evenHigh >> 16 | oddHigh;
  *low = nearestBfloat(even - floatOf(evenHigh)) >> 16 | nearestBfloat(odd - floatOf(oddHigh));
}

int stepsOf(const DecodeBasis& basis) { return (basis.columnCount + kStepColumns - 1) / kStepColumns; }

// A panel as tiles [step][axis][part] of [pair][point].
void splitPanel(const uint16_t* panel, int columns, int steps, uint32_t* tiles) {
  constexpr int kPanel = DecodeBasis::kPanel;
  for (int pair = 0; pair < steps * kTilePairs; ++pair) {
    for (int axis = 0; axis < 3; ++axis) {
      float numbers[2][kPanel] = {};
      for (int odd = 0; odd < 2; ++odd)
        for (int lane = 0; lane < kPanel && 2 * pair + odd < columns; lane += Vec::kLanes)
          store(numbers[odd] + lane,
                load(panel + static_cast<size_t>(2 * pair + odd) * DecodeBasis::kRow + axis * kPanel + lane));
      uint32_t* const high = tiles + static_cast<size_t>(pair / kTilePairs * 3 + axis) * 2 * kTileWords +
                             static_cast<size_t>(pair % kTilePairs) * kPanel;
      for (int point = 0; point < kPanel; ++point)
        splitPair(numbers[0][point], numbers[1][point], high + point, high + kTileWords + point);
    }
  }
}

// The coefficients of up to 16 faces as tiles [step][part] of [face][pair].
void splitCoefficients(const float* coefficients, int columns, int faces, int steps, uint32_t* tiles) {
  memset(tiles, 0, static_cast<size_t>(steps) * 2 * kTileWords * sizeof(uint32_t));
  for (int face = 0; face < faces; ++face) {
    const float* row = coefficients + static_cast<size_t>(face) * columns;
    for (int c = 0; c < columns; c += 2) {
      uint32_t* high =
          tiles + static_cast<size_t>(c / kStepColumns) * 2 * kTileWords + face * kTilePairs + c % kStepColumns / 2;
      splitPair(row[c], c + 1 < columns ? row[c + 1] : 0, high, high + kTileWords);
    }
  }
}

// What is summed in tile 3 * group + axis; the last two tiles hold what is multiplied.
constexpr int kFacesTile = 6, kBasisTile = 7;

// One axis of a step, the products in the same order for both groups.
template <class Tiles, bool kFourProducts, int kGroups, int kAxis>
SFM_ALWAYS_INLINE void multiplyAxis(const uint32_t* basis, const uint32_t* faces, size_t group) {
  Tiles::template load<kBasisTile>(basis);
  Tiles::template load<kFacesTile>(faces + kTileWords);
  Tiles::template multiplyAdd<kAxis, kFacesTile, kBasisTile>();
  if constexpr (kGroups > 1) {
    Tiles::template load<kFacesTile>(faces + group + kTileWords);
    Tiles::template multiplyAdd<3 + kAxis, kFacesTile, kBasisTile>();
    Tiles::template load<kFacesTile>(faces + group);
    Tiles::template multiplyAdd<3 + kAxis, kFacesTile, kBasisTile>();
  }
  Tiles::template load<kFacesTile>(faces);
  Tiles::template multiplyAdd<kAxis, kFacesTile, kBasisTile>();
  Tiles::template load<kBasisTile>(basis + kTileWords);
  Tiles::template multiplyAdd<kAxis, kFacesTile, kBasisTile>();
  if constexpr (kFourProducts) {
    Tiles::template load<kFacesTile>(faces + kTileWords);
    Tiles::template multiplyAdd<kAxis, kFacesTile, kBasisTile>();
  }
  if constexpr (kGroups > 1) {
    Tiles::template load<kFacesTile>(faces + group);
    Tiles::template multiplyAdd<3 + kAxis, kFacesTile, kBasisTile>();
    if constexpr (kFourProducts) {
      Tiles::template load<kFacesTile>(faces + group + kTileWords);
      Tiles::template multiplyAdd<3 + kAxis, kFacesTile, kBasisTile>();
    }
  }
}

// basis * coefficients of a panel and one or two groups of faces: sums [group][axis][face][point].
template <class Tiles, bool kFourProducts, int kGroups>
void multiplyPanel(const uint32_t* basis, const uint32_t* faces, int steps, float* sums) {
  const size_t group = static_cast<size_t>(steps) * 2 * kTileWords;
  Tiles::template zero<0>();
  Tiles::template zero<1>();
  Tiles::template zero<2>();
  if constexpr (kGroups > 1) {
    Tiles::template zero<3>();
    Tiles::template zero<4>();
    Tiles::template zero<5>();
  }
  for (int step = 0; step < steps; ++step) {
    const uint32_t *ofStep = basis + static_cast<size_t>(step) * 6 * kTileWords, *f = faces + step * 2 * kTileWords;
    multiplyAxis<Tiles, kFourProducts, kGroups, 0>(ofStep, f, group);
    multiplyAxis<Tiles, kFourProducts, kGroups, 1>(ofStep + 2 * kTileWords, f, group);
    multiplyAxis<Tiles, kFourProducts, kGroups, 2>(ofStep + 4 * kTileWords, f, group);
  }
  Tiles::template store<0>(sums);
  Tiles::template store<1>(sums + kTileWords);
  Tiles::template store<2>(sums + 2 * kTileWords);
  if constexpr (kGroups > 1) {
    Tiles::template store<3>(sums + 3 * kTileWords);
    Tiles::template store<4>(sums + 4 * kTileWords);
    Tiles::template store<5>(sums + 5 * kTileWords);
  }
}

// The stage's panels, as tiles from `panels` on, of one or two groups of faces.
template <class Tiles, bool kFourProducts, int kGroups>
void decodeGroups(const Stage& stage, const uint32_t* panels, const uint32_t* groups, int steps, int face,
                  int faceCount, float* sums) {
  constexpr int kPanel = DecodeBasis::kPanel;
  const size_t panelSize = static_cast<size_t>(steps) * 6 * kTileWords;
  for (int panel = stage.panelBegin; panel < stage.panelEnd; ++panel) {
    multiplyPanel<Tiles, kFourProducts, kGroups>(panels + panelSize * static_cast<size_t>(panel - stage.panelBegin),
                                                 groups, steps, sums);
    const float* mean = stage.basis.mean.data() + static_cast<size_t>(panel) * DecodeBasis::kRow;
    for (int f = 0; f < faceCount; ++f) {
      const float* sum = sums + f / kTileFaces * 3 * kTileWords + f % kTileFaces * kPanel;
      const float* pose = stage.faces.poses ? stage.faces.poses + static_cast<size_t>(face + f) * 12 : nullptr;
      for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
        const int point = panel * kPanel + lane;
        if (point >= stage.basis.pointCount) break;
        const auto axis = [&](int a) { return add(load(mean + a * kPanel + lane), load(sum + a * kTileWords + lane)); };
        placeVertices(pose, stage.at(face + f, f, point), stage.basis.pointCount - point, axis(0), axis(1), axis(2));
      }
    }
  }
  stage.finish(face, faceCount);
}

template <class Tiles, bool kFourProducts>
void decodeOnTiles(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                   int faceEnd, float* scratch) {
  const int steps = stepsOf(basis);
  const size_t panelSize = static_cast<size_t>(steps) * 6 * kTileWords,
               groupSize = static_cast<size_t>(steps) * 2 * kTileWords,
               halfPanel = static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
  float* const sums = scratch + kStageSize;
  uint32_t* const panels = reinterpret_cast<uint32_t*>(sums + 6 * kTileWords);
  uint32_t* const groups = panels + kStagedPanels * panelSize;
  for (int face = faceBegin; face < faceEnd; face += kTileFaces)
    splitCoefficients(faces.coefficients + static_cast<size_t>(face) * basis.columnCount, basis.columnCount,
                      faceEnd - face < kTileFaces ? faceEnd - face : kTileFaces, steps,
                      groups + groupSize * static_cast<size_t>((face - faceBegin) / kTileFaces));
  int rows = 0;
  const auto configure = [&rows](int wanted) {
    if (rows != wanted) Tiles::configure(rows = wanted);
  };
  for (int panel = panelBegin; panel < panelEnd; panel += kStagedPanels) {
    const int end = panel + kStagedPanels < panelEnd ? panel + kStagedPanels : panelEnd;
    for (int p = panel; p < end; ++p)
      splitPanel(basis.halves.data() + halfPanel * static_cast<size_t>(p), basis.columnCount, steps,
                 panels + panelSize * static_cast<size_t>(p - panel));
    const Stage stage{basis, faces, panel, end, scratch};
    const uint32_t* group = groups;
    int face = faceBegin;
    for (; face + 2 * kTileFaces <= faceEnd; face += 2 * kTileFaces, group += 2 * groupSize) {
      configure(kTileFaces);
      decodeGroups<Tiles, kFourProducts, 2>(stage, panels, group, steps, face, 2 * kTileFaces, sums);
    }
    for (; face < faceEnd; face += kTileFaces, group += groupSize) {
      const int count = faceEnd - face < kTileFaces ? faceEnd - face : kTileFaces;
      configure(count);
      decodeGroups<Tiles, kFourProducts, 1>(stage, panels, group, steps, face, count, sums);
    }
  }
  if (rows > 0) Tiles::release();
  if (faces.stream) fenceStreams();
}

}  // namespace
}  // namespace sfm
