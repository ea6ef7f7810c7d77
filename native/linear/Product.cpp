#include "linear/Product.h"

#include <algorithm>

#include "core/AlignedBuffer.h"

namespace sfm::linear {

namespace {

// Terms summed before they are joined with the rest: long enough for a register tile, short enough for the error of
// long sums to stay small. It decides the bits of the results; the other sizes decide about the caches alone.
constexpr int64_t kDepth = 256;
constexpr int64_t kBlockRows = 1536, kBlockColumns = 1024;  // packed at a time
constexpr int64_t kTaskRows = 96, kTaskColumns = 256;       // of the result, by one thread in one go
constexpr int64_t kSmall = 1 << 16;                         // multiplications not worth a second thread

constexpr int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// `width` rows of A (or columns of B), `depth` deep, as [depth][panel] with zeros beyond the matrix. `across` is the
// stride from row to row, `along` that in the direction of the sum; one of them is 1, and memory is read in that order.
template <class T>
void packPanel(const T* from, int64_t width, int64_t depth, int64_t across, int64_t along, int64_t panel, double* to) {
  if (across != 1) {
    constexpr int64_t kRun = 8;
    for (int64_t k0 = 0; k0 < depth; k0 += kRun) {
      const int64_t run = std::min(kRun, depth - k0);
      for (int64_t i = 0; i < width; ++i) {
        const T* at = from + i * across + k0;
        for (int64_t k = 0; k < run; ++k) to[(k0 + k) * panel + i] = static_cast<double>(at[k]);
      }
    }
  } else {
    for (int64_t k = 0; k < depth; ++k) std::copy_n(from + k * along, width, to + k * panel);
  }
  for (int64_t k = 0; k < depth; ++k) std::fill(to + k * panel + width, to + (k + 1) * panel, 0.0);
}

// One operand's block in panels of tile rows (or columns), one after the other.
class Packed {
 public:
  Packed(const Operand& from, int64_t panel, int64_t capacity)
      : from_(from),
        panel_(panel),
        buffer_(AlignedBuffer<double>::uninitialised(static_cast<size_t>(
            ceilDivide(std::min(capacity, from.rows), panel) * panel * std::min(kDepth, from.columns)))) {}

  void take(int64_t row, int64_t rows, int64_t k, int64_t depth) {
    row_ = row;
    rows_ = rows;
    k_ = k;
    depth_ = depth;
  }
  int64_t panelCount() const { return ceilDivide(rows_, panel_); }
  int64_t widthOf(int64_t i) const { return std::min(panel_, rows_ - i * panel_); }
  const double* panel(int64_t i) const { return buffer_.data() + i * panel_ * depth_; }

  void pack(int64_t i) {
    const int64_t at = (row_ + i * panel_) * from_.rowStride + k_ * from_.columnStride;
    double* to = buffer_.data() + i * panel_ * depth_;
    if (from_.floats)
      packPanel(from_.floats + at, widthOf(i), depth_, from_.rowStride, from_.columnStride, panel_, to);
    else
      packPanel(from_.doubles + at, widthOf(i), depth_, from_.rowStride, from_.columnStride, panel_, to);
  }

 private:
  const Operand from_;
  const int64_t panel_;
  AlignedBuffer<double> buffer_;
  int64_t row_ = 0, rows_ = 0, k_ = 0, depth_ = 0;
};

// The part of a tile that lies within the matrix, through a whole tile beside it.
void edgeTile(const LinearKernels& kernels, const double* a, const double* b, int64_t depth, Update update,
              int64_t rows, int64_t columns, double* c, int64_t stride) {
  double tile[kMaximumTile];
  const int64_t width = kernels.tileColumns;
  kernels.productTile(a, b, static_cast<int>(depth), Update::kSet, tile, width);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      double& at = c[i * stride + j];
      const double sum = tile[i * width + j];
      at = update == Update::kSet ? sum : update == Update::kAdd ? at + sum : at - sum;
    }
}

}  // namespace

void multiply(const Engine& engine, const Operand& a, const Operand& b, Update update, double* c, int64_t stride,
              Part part) {
  const LinearKernels& kernels = engine.kernels;
  const int64_t rows = a.rows, columns = b.columns, terms = a.columns;
  if (rows == 0 || columns == 0) return;
  if (terms == 0) {
    if (update == Update::kSet)
      for (int64_t i = 0; i < rows; ++i) std::fill_n(c + i * stride, columns, 0.0);
    return;
  }
  const bool alone = static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(terms) < kSmall;
  const Parallel parallel = alone ? Parallel() : engine.parallel;
  const int64_t tileRows = kernels.tileRows, tileColumns = kernels.tileColumns;
  Packed left(a, tileRows, kBlockRows), right(b.transposed(), tileColumns, kBlockColumns);
  const int64_t taskPanels = std::max<int64_t>(1, kTaskRows / tileRows),
                taskStrips = std::max<int64_t>(1, kTaskColumns / tileColumns);

  for (int64_t j0 = 0; j0 < columns; j0 += kBlockColumns)
    for (int64_t k0 = 0; k0 < terms; k0 += kDepth) {
      const int64_t depth = std::min(kDepth, terms - k0);
      const Update join = k0 == 0 || update == Update::kSubtract ? update : Update::kAdd;
      right.take(j0, std::min(kBlockColumns, columns - j0), k0, depth);
      for (int64_t i0 = 0; i0 < rows; i0 += kBlockRows) {
        left.take(i0, std::min(kBlockRows, rows - i0), k0, depth);
        const int64_t panels = left.panelCount(), strips = right.panelCount(), packed = i0 == 0 ? strips : 0;
        const int64_t group = 4;
        parallel(ceilDivide(panels + packed, group), [&](int64_t task) {
          for (int64_t i = task * group; i < std::min(panels + packed, (task + 1) * group); ++i)
            i < panels ? left.pack(i) : right.pack(i - panels);
        });
        const int64_t tasksDown = ceilDivide(panels, taskPanels), tasksAcross = ceilDivide(strips, taskStrips);
        parallel(tasksDown * tasksAcross, [&](int64_t task) {
          const int64_t p0 = task / tasksAcross * taskPanels, p1 = std::min(panels, p0 + taskPanels);
          const int64_t s0 = task % tasksAcross * taskStrips, s1 = std::min(strips, s0 + taskStrips);
          for (int64_t s = s0; s < s1; ++s)
            for (int64_t p = p0; p < p1; ++p) {
              const int64_t i = i0 + p * tileRows, j = j0 + s * tileColumns;
              const int64_t height = left.widthOf(p), width = right.widthOf(s);
              if (part == Part::kLower && j >= i + height) continue;
              double* at = c + i * stride + j;
              if (height == tileRows && width == tileColumns)
                kernels.productTile(left.panel(p), right.panel(s), static_cast<int>(depth), join, at, stride);
              else
                edgeTile(kernels, left.panel(p), right.panel(s), depth, join, height, width, at, stride);
            }
        });
      }
    }
}

void mirrorLower(double* c, int64_t n, int64_t stride) {
  constexpr int64_t kBlock = 32;  // both sides of the diagonal stay in the cache
  for (int64_t i0 = 0; i0 < n; i0 += kBlock)
    for (int64_t j0 = 0; j0 <= i0; j0 += kBlock)
      for (int64_t i = i0; i < std::min(n, i0 + kBlock); ++i)
        for (int64_t j = j0; j < std::min(i, j0 + kBlock); ++j) c[j * stride + i] = c[i * stride + j];
}

void gram(const Engine& engine, const Operand& a, Update update, double* c, int64_t stride) {
  multiply(engine, a.transposed(), a, update, c, stride, Part::kLower);
  mirrorLower(c, a.columns, stride);
}

}  // namespace sfm::linear
