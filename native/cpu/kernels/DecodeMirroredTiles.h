// Decoding both sides of a face at once (core/MirroredBasis.h) on matrix tiles: as kernels/DecodeTiles.h does, with the even
// rows of a basis for one kind of columns and the odd ones for the other, each padded to whole steps.
//
// A row of 16-bit floats is split exactly. One of 32-bit floats, a sum of two columns that 16 bits do not hold, is within
// 2^-17 of the sum of its two parts, as a coefficient is.
//
// The even sums of two groups of faces are all that the tiles have room for: they are stored before the odd ones have their
// turn, six more tiles to store in a panel of 120 products. Even and odd sums of one group at a time would fit as well, but
// load the basis twice as often, and leave three chains of products, which do not hide the time that one takes, for as
// long as there are more steps of even rows.
#pragma once

#include "cpu/kernels/DecodeTiles.h"
#include "cpu/kernels/PlaceSides.h"

namespace sfm {
namespace {

struct SidesOnTiles {
  static constexpr int kKinds = 2;
  const MirroredBasis& basis;

  const MirroredBasis::Rows& rows(int kind) const { return kind == 0 ? basis.even : basis.odd; }
  int columns(int kind) const { return rows(kind).count(); }

  SFM_ALWAYS_INLINE void split(int panel, int kind, uint32_t* tiles) const {
    constexpr size_t kRow = MirroredBasis::kRow;
    const MirroredBasis::Rows &even = basis.even, &odd = basis.odd;
    const size_t at = static_cast<size_t>(panel) * kRow;
    const int halfCount = rows(kind).halfCount;
    const uint16_t* const halves = basis.halves.data() + at * static_cast<size_t>(even.halfCount + odd.halfCount) +
                                   (kind == 0 ? 0 : even.halfCount * kRow);
    const float* const floats = basis.floats.data() + at * static_cast<size_t>(even.floatCount + odd.floatCount) +
                                (kind == 0 ? 0 : even.floatCount * kRow);
    splitPanel(
        [&](int row, int i) {
          return row < halfCount ? load(halves + static_cast<size_t>(row) * kRow + i)
                                 : load(floats + static_cast<size_t>(row - halfCount) * kRow + i);
        },
        columns(kind), tiles);
  }

  // Where mirror images stand side by side, panels that follow each other are neighbouring vertices. Others are stored one
  // by one and do not stream.
  Stage stage(const DecodeFaces& faces, int panelBegin, int panelEnd, float* scratch) const {
    const MirroredBasis::Panel* const panels = basis.panels.data();
    const int first = panels[panelBegin].vertex[0];
    int end = first;
    bool neighbours = true;
    for (int panel = panelBegin; panel < panelEnd; ++panel) {
      neighbours = neighbours && panels[panel].contiguous && panels[panel].vertex[0] == end;
      end += panels[panel].count;
    }
    return {faces, basis.pointCount, first, end, faces.stream && neighbours, scratch};
  }

  SFM_ALWAYS_INLINE void place(const Stage& stage, int panel, int face, int faceOfTile, const float* pose,
                               const float* sums) const {
    constexpr int kPanel = MirroredBasis::kPanel, kRow = MirroredBasis::kRow;
    const MirroredBasis::Panel& places = basis.panels.data()[panel];
    const float* const mean = basis.mean.data() + static_cast<size_t>(panel) * 2 * kRow;
    float* const out = stage.at(face, faceOfTile, places.vertex[0]);
    alignas(64) float sides[2 * kRow];
    for (int lane = 0; lane < kPanel; lane += Vec::kLanes) {
      const auto points = [&](const float* of) -> Points<Vec> {
        return {load(of + lane), load(of + kTileWords + lane), load(of + 2 * kTileWords + lane)};
      };
      placeSides(places, mean, pose, lane, points(sums), points(sums + 6 * kTileWords), out, sides);
    }
    scatterSides(places, sides, out);
  }
};

template <class Tiles, bool kFourProducts>
void decodeMirroredOnTiles(const MirroredBasis& basis, const DecodeFaces& faces, int panelBegin, int panelEnd,
                           int faceBegin, int faceEnd, float* scratch) {
  TilesDecoder<Tiles, kFourProducts, SidesOnTiles>({basis}, faces, scratch)
      .decode(panelBegin, panelEnd, faceBegin, faceEnd);
}

}  // namespace
}  // namespace sfm
