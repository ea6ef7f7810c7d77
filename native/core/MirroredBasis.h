// A basis of a surface whose left and right mirror each other, for decoding both sides at once.
//
// Let vertex j be the mirror image of vertex i and M = diag(-1, 1, 1). A column b of the basis has an even and an odd part
// there,
//
//     b+ = (b_i + M b_j) / 2        b- = (b_i - M b_j) / 2
//
// and with the sums s+ = sum b+ c and s- = sum b- c over the columns, c the coefficients,
//
//     v_i = m_i + s+ + s-           v_j = m_j + M (s+ - s-).
//
// A column that is its own mirror image has no odd part, and two that are each other's share their even part and have
// opposite odd ones, which are multiplied once, by the sum and the difference of their coefficients. Where all columns
// are of these kinds a pair of vertices takes as much arithmetic, and as much of the basis, as one vertex does otherwise.
//
// Nothing is rounded that DecodeBasis has exactly: a row is stored in 16 bits if it is exact there, else in 32.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/FaceModel.h"

namespace sfm {

struct MirroredBasis {
  // A slot is a pair of vertices, or one that is its own mirror image. Of a panel's numbers, 3 x 16 a row as in
  // DecodeBasis, those of the even part come first.
  static constexpr int kPanel = DecodeBasis::kPanel;
  static constexpr int kRow = DecodeBasis::kRow;

  // The even or the odd rows: first those of 16 bits.
  struct Rows {
    int halfCount = 0, floatCount = 0;
    // By row: the column whose coefficient it is multiplied by, and the one (or -1) whose coefficient is added to that
    // (even) or subtracted from it (odd).
    std::vector<int32_t> column, partner;
    int count() const { return halfCount + floatCount; }
  };

  // Which vertices a panel writes, in ascending order, and the lane of each: slot s on the left is s, on the right
  // kPanel + s.
  struct Panel {
    int32_t count = 0;
    int32_t vertex[2 * kPanel];
    int32_t lane[2 * kPanel];
    bool contiguous = false;  // the vertices are neighbours
  };

  int pointCount = 0, panelCount = 0, columnCount = 0;
  Rows even, odd;
  std::vector<Panel> panels;
  AlignedBuffer<float> mean;  // [panel][left, right][48]
  AlignedBuffer<uint16_t> halves;  // [panel][even.halfCount + odd.halfCount][48]
  AlignedBuffer<float> floats;  // [panel][even.floatCount + odd.floatCount][48]

  int rowCount() const { return even.count() + odd.count(); }
  size_t bytes() const;

  // What the rows of a face are multiplied by: [even.count() + odd.count()] from coefficients [columnCount].
  void coefficients(const float* columns, float* rows) const;
};

// Null where that would not save a tenth of the arithmetic at least. `mirror` [pointCount]: each vertex's mirror image, an
// involution.
std::unique_ptr<const MirroredBasis> mirroredBasis(const DecodeBasis& basis, const std::vector<int32_t>& mirror);

}  // namespace sfm
