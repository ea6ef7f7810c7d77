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
SFM_ALWAYS_INLINE void splitPair(float first, float second, uint32_t* high, uint32_t* low) {
  const uint32_t firstHigh = nearestBfloat(first), secondHigh = nearestBfloat(second);
  *high = firstHigh >> 16 | secondHigh;
  *low = nearestBfloat(first - floatOf(firstHigh)) >> 16 | nearestBfloat(second - floatOf(secondHigh));
}

constexpr int stepsOf(int columns) { return (columns + kStepColumns - 1) / kStepColumns; }

// Columns of a panel as tiles [step][axis][part] of [pair][point]. number(column, i) has the panel's numbers from the i-th
// on, a vector's worth.
template <class Number>
SFM_ALWAYS_INLINE void splitPanel(const Number& number, int columns, uint32_t* tiles) {
  constexpr int kPanel = DecodeBasis::kPanel;
  for (int pair = 0; pair < stepsOf(columns) * kTilePairs; ++pair) {
    for (int axis = 0; axis < 3; ++axis) {
      float numbers[2][kPanel] = {};
      for (int member = 0; member < 2; ++member)
        for (int lane = 0; lane < kPanel && 2 * pair + member < columns; lane += Vec::kLanes)
          store(numbers[member] + lane, number(2 * pair + member, axis * kPanel + lane));
      uint32_t* const high = tiles + static_cast<size_t>(pair / kTilePairs * 3 + axis) * 2 * kTileWords +
                             static_cast<size_t>(pair % kTilePairs) * kPanel;
      for (int point = 0; point < kPanel; ++point)
        splitPair(numbers[0][point], numbers[1][point], high + point, high + kTileWords + point);
    }
  }
}

// Coefficients of up to 16 faces, `stride` apart, as tiles [step][part] of [face][pair].
void splitCoefficients(const float* coefficients, int stride, int columns, int faces, uint32_t* tiles) {
  for (int first = 0; first < columns; first += kStepColumns, tiles += 2 * kTileWords) {
    const int count = columns - first < kStepColumns ? columns - first : kStepColumns;
    for (int face = 0; face < faces; ++face) {
      float numbers[kStepColumns] = {};
      memcpy(numbers, coefficients + static_cast<size_t>(face) * stride + first,
             static_cast<size_t>(count) * sizeof(float));
      uint32_t* const high = tiles + face * kTilePairs;
      for (int pair = 0; pair < kTilePairs; ++pair)
        splitPair(numbers[2 * pair], numbers[2 * pair + 1], high + pair, high + kTileWords + pair);
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

// basis * coefficients of a panel and one or two groups of faces, whose tiles are `group` words apart: sums
// [group][axis][face][point]. Calls meanwhile() after each axis of a step.
template <class Tiles, bool kFourProducts, int kGroups, class Meanwhile>
SFM_ALWAYS_INLINE void multiplyPanel(const uint32_t* basis, const uint32_t* faces, size_t group, int steps, float* sums,
                                     const Meanwhile& meanwhile) {
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
    meanwhile();
    multiplyAxis<Tiles, kFourProducts, kGroups, 1>(ofStep + 2 * kTileWords, f, group);
    meanwhile();
    multiplyAxis<Tiles, kFourProducts, kGroups, 2>(ofStep + 4 * kTileWords, f, group);
    meanwhile();
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

// How the panels of a basis become tiles, and their sums vertices. This is that of a plain one; kernels/DecodeMirroredTiles.h
// has one whose columns have two kinds, each with sums of its own.
struct PointsOnTiles {
  static constexpr int kKinds = 1;
  const DecodeBasis& basis;

  // Of a kind; the faces' coefficients are those of the kinds, one after the other.
  int columns(int /*kind*/) const { return basis.columnCount; }

  SFM_ALWAYS_INLINE void split(int panel, int /*kind*/, uint32_t* tiles) const {
    const uint16_t* const halves =
        basis.halves.data() + static_cast<size_t>(panel) * static_cast<size_t>(basis.columnCount) * DecodeBasis::kRow;
    splitPanel([&](int column, int i) { return load(halves + static_cast<size_t>(column) * DecodeBasis::kRow + i); },
               basis.columnCount, tiles);
  }

  Stage stage(const DecodeFaces& faces, int panelBegin, int panelEnd, float* scratch) const {
    return stageOf(basis, faces, panelBegin, panelEnd, scratch);
  }

  // One face's part of a panel; its sums are rows of tiles [kind][group][axis].
  SFM_ALWAYS_INLINE void place(const Stage& stage, int panel, int face, int faceOfTile, const float* pose,
                               const float* sums) const {
    constexpr int kPanel = DecodeBasis::kPanel;
    const float* const mean = basis.mean.data() + static_cast<size_t>(panel) * DecodeBasis::kRow;
    for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
      const int point = panel * kPanel + lane;
      if (point >= basis.pointCount) break;
      const auto axis = [&](int a) { return add(load(mean + a * kPanel + lane), load(sums + a * kTileWords + lane)); };
      placeVertices(pose, stage.at(face, faceOfTile, point), basis.pointCount - point, axis(0), axis(1), axis(2));
    }
  }
};

// Decodes some faces on tiles, of which it makes those of 16 panels at a time for all faces.
template <class Tiles, bool kFourProducts, class Basis>
class TilesDecoder {
 public:
  // `scratch`: decodeScratch.
  TilesDecoder(const Basis& basis, const DecodeFaces& faces, float* scratch)
      : basis_(basis), faces_(faces), scratch_(scratch), sums_(scratch + Basis::kKinds * kStageSize) {
    for (int kind = 0; kind < Basis::kKinds; ++kind) {
      columns_ += basis.columns(kind);
      steps_ += stepsOf(basis.columns(kind));
    }
    panels_ = reinterpret_cast<uint32_t*>(sums_ + 2 * Basis::kKinds * kKindSums);
    groups_ = panels_ + kStagedPanels * panelSize();
  }

  void decode(int panelBegin, int panelEnd, int faceBegin, int faceEnd) {
    splitFaces(faceBegin, faceEnd);
    int rows = 0;
    const auto configure = [&rows](int wanted) {
      if (rows != wanted) Tiles::configure(rows = wanted);
    };
    for (int panel = panelBegin; panel < panelEnd; panel += kStagedPanels) {
      const int end = panel + kStagedPanels < panelEnd ? panel + kStagedPanels : panelEnd;
      splitPanels(panel, end);
      const Stage stage = basis_.stage(faces_, panel, end, scratch_);
      const uint32_t* group = groups_;
      int face = faceBegin;
      for (; face + 2 * kTileFaces <= faceEnd; face += 2 * kTileFaces, group += 2 * groupSize()) {
        configure(kTileFaces);
        decodeGroups<2>(stage, panel, end, group, face, 2 * kTileFaces);
      }
      for (; face < faceEnd; face += kTileFaces, group += groupSize()) {
        const int count = faceEnd - face < kTileFaces ? faceEnd - face : kTileFaces;
        configure(count);
        decodeGroups<1>(stage, panel, end, group, face, count);
      }
    }
    if (rows > 0) Tiles::release();
    if (faces_.stream) fenceStreams();
  }

 private:
  static constexpr int kKindSums = 6 * kTileWords;

  size_t panelSize() const { return static_cast<size_t>(steps_) * 6 * kTileWords; }
  size_t groupSize() const { return static_cast<size_t>(steps_) * 2 * kTileWords; }

  void splitFaces(int faceBegin, int faceEnd) {
    uint32_t* tiles = groups_;
    for (int face = faceBegin; face < faceEnd; face += kTileFaces) {
      const float* coefficients = faces_.coefficients + static_cast<size_t>(face) * columns_;
      for (int kind = 0; kind < Basis::kKinds; ++kind) {
        const int columns = basis_.columns(kind);
        splitCoefficients(coefficients, columns_, columns, faceEnd - face < kTileFaces ? faceEnd - face : kTileFaces,
                          tiles);
        coefficients += columns;
        tiles += static_cast<size_t>(stepsOf(columns)) * 2 * kTileWords;
      }
    }
  }

  void splitPanels(int panelBegin, int panelEnd) {
    uint32_t* tiles = panels_;
    for (int panel = panelBegin; panel < panelEnd; ++panel) {
      for (int kind = 0; kind < Basis::kKinds; ++kind) {
        basis_.split(panel, kind, tiles);
        tiles += static_cast<size_t>(stepsOf(basis_.columns(kind))) * 6 * kTileWords;
      }
    }
  }

  // The panels, as tiles from panels_ on, of one or two groups of faces. While one is multiplied the one before is placed, a
  // few faces after each axis of a step: the unit of the tiles and that of the vectors have work at the same time.
  template <int kGroups>
  void decodeGroups(const Stage& stage, int panelBegin, int panelEnd, const uint32_t* groups, int face, int faceCount) {
    const int share = faceCount / (3 * steps_ + 1) + 1;  // of the faces, with the rest at the end
    const uint32_t* tiles = panels_;
    for (int panel = panelBegin; panel <= panelEnd; ++panel) {
      int placed = panel > panelBegin ? 0 : faceCount;
      const auto placeSome = [&](int count) {
        for (; placed < faceCount && count > 0; ++placed, --count) place(stage, panel - 1, face + placed, placed);
      };
      const uint32_t* ofKind = groups;
      for (int kind = 0; kind < Basis::kKinds && panel < panelEnd; ++kind) {
        const int steps = stepsOf(basis_.columns(kind));
        multiplyPanel<Tiles, kFourProducts, kGroups>(tiles, ofKind, groupSize(), steps, sums(panel) + kind * kKindSums,
                                                     [&] { placeSome(share); });
        tiles += static_cast<size_t>(steps) * 6 * kTileWords;
        ofKind += static_cast<size_t>(steps) * 2 * kTileWords;
      }
      placeSome(faceCount);
    }
    stage.finish(face, faceCount);
  }

  void place(const Stage& stage, int panel, int face, int faceOfTile) const {
    basis_.place(
        stage, panel, face, faceOfTile, faces_.poses ? faces_.poses + static_cast<size_t>(face) * 12 : nullptr,
        sums(panel) + faceOfTile / kTileFaces * 3 * kTileWords + faceOfTile % kTileFaces * DecodeBasis::kPanel);
  }

  // Of a panel, [kind][group][axis][face][point]; the next one's are elsewhere.
  float* sums(int panel) const { return sums_ + panel % 2 * Basis::kKinds * kKindSums; }

  const Basis basis_;
  const DecodeFaces& faces_;
  int columns_ = 0, steps_ = 0;  // of all kinds
  float* const scratch_;
  float* const sums_;  // of two panels in turn
  uint32_t* panels_;  // [panel][kind][step] as splitPanel has them
  uint32_t* groups_;  // [group of faces][kind][step] as splitCoefficients has them
};

template <class Tiles, bool kFourProducts>
void decodeOnTiles(const DecodeBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd, int faceBegin,
                   int faceEnd, float* scratch) {
  TilesDecoder<Tiles, kFourProducts, PointsOnTiles>({basis}, faces, scratch)
      .decode(panelBegin, panelEnd, faceBegin, faceEnd);
}

}  // namespace
}  // namespace sfm
