#include "core/MirroredBasis.h"

#include <algorithm>
#include <cmath>

#include "core/Half.h"

namespace sfm {

namespace {

constexpr int kAxes = 3;

// A slot's vertices; the same one twice where it is its own mirror image.
struct Slot {
  int32_t left, right;
};

// Left and right are names only: a pair stands where its first vertex does.
std::vector<Slot> slotsOf(const std::vector<int32_t>& mirror) {
  std::vector<Slot> slots;
  for (size_t i = 0; i < mirror.size(); ++i)
    if (mirror[i] >= static_cast<int32_t>(i)) slots.push_back({static_cast<int32_t>(i), mirror[i]});
  return slots;
}

// Numbers of a basis as floats: 16-bit ones by a table, since there are millions of them.
class Values {
 public:
  explicit Values(const DecodeBasis& basis) : basis_(basis) {
    if (!basis.isHalf()) return;
    table_.resize(65536);
    for (size_t bits = 0; bits < table_.size(); ++bits) table_[bits] = halfToFloat(static_cast<uint16_t>(bits));
  }
  float operator[](size_t at) const { return basis_.isHalf() ? table_[basis_.halves[at]] : basis_.floats[at]; }

 private:
  const DecodeBasis& basis_;
  std::vector<float> table_;
};

// Even or odd parts of all columns: [column][slot][axis].
struct Parts {
  explicit Parts(size_t columns, size_t slots)
      : size(slots * kAxes), values(AlignedBuffer<float>::uninitialised(columns * slots * kAxes)) {}
  float* row(int column) { return values.data() + static_cast<size_t>(column) * size; }
  bool isZero(int column) {
    return std::all_of(row(column), row(column) + size, [](float value) { return value == 0; });
  }
  bool same(int a, int b, float sign) {
    const float* other = row(b);
    return std::all_of(row(a), row(a) + size, [&](float value) { return value == sign * *other++; });
  }
  size_t size;
  AlignedBuffer<float> values;
};

// The 16-bit float that is exactly `value`, if there is one.
bool exactHalf(float value, uint16_t* half) {
  const float magnitude = std::fabs(value);
  const uint16_t sign = std::signbit(value) ? 0x8000u : 0u;
  if (magnitude < 6.103515625e-05f) {  // 2^-14: what is smaller has steps of 2^-24
    *half = static_cast<uint16_t>(sign | static_cast<uint16_t>(magnitude * 16777216.0f));
  } else {
    uint32_t bits;
    std::memcpy(&bits, &magnitude, sizeof bits);
    const uint32_t rebased = (bits >> 13) - (112u << 10);
    if (rebased >= 0x7c00u) return false;
    *half = static_cast<uint16_t>(sign | rebased);
  }
  return halfToFloat(*half) == value;
}

bool isExactInHalves(const float* row, size_t size) {
  uint16_t half;
  return std::all_of(row, row + size, [&](float value) { return exactHalf(value, &half); });
}

// The rows that are left of the columns' parts once zeros are left out and partners share theirs.
MirroredBasis::Rows rowsOf(Parts& parts, int columns, float partnerSign) {
  struct Row {
    int32_t column, partner;
    bool half;
  };
  std::vector<Row> rows;
  for (int c = 0; c < columns; ++c) {
    if (parts.isZero(c)) continue;
    const auto partner = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
      return row.partner < 0 && parts.same(c, row.column, partnerSign);
    });
    if (partner != rows.end())
      partner->partner = c;
    else
      rows.push_back({c, -1, isExactInHalves(parts.row(c), parts.size)});
  }
  std::stable_partition(rows.begin(), rows.end(), [](const Row& row) { return row.half; });
  MirroredBasis::Rows result;
  for (const Row& row : rows) {
    ++(row.half ? result.halfCount : result.floatCount);
    result.column.push_back(row.column);
    result.partner.push_back(row.partner);
  }
  return result;
}

MirroredBasis::Panel panelOf(const Slot* slots, int count) {
  struct Place {
    int32_t vertex, lane;
  };
  std::vector<Place> places;
  for (int32_t s = 0; s < count; ++s) {
    places.push_back({slots[s].left, s});
    if (slots[s].right != slots[s].left) places.push_back({slots[s].right, MirroredBasis::kPanel + s});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.vertex < b.vertex; });
  MirroredBasis::Panel panel = {};
  panel.contiguous = places.back().vertex - places.front().vertex + 1 == static_cast<int32_t>(places.size());
  for (const Place& place : places) {
    panel.vertex[panel.count] = place.vertex;
    panel.lane[panel.count++] = place.lane;
  }
  return panel;
}

}  // namespace

size_t MirroredBasis::bytes() const {
  return (mean.size() + floats.size()) * sizeof(float) + halves.size() * sizeof(uint16_t) +
         panels.size() * sizeof(Panel);
}

void MirroredBasis::coefficients(const float* columns, float* rows) const {
  const auto combine = [&](const Rows& part, float sign) {
    for (size_t r = 0; r < part.column.size(); ++r) {
      const float own = columns[part.column[r]];
      *rows++ = part.partner[r] < 0 ? own : own + sign * columns[part.partner[r]];
    }
  };
  combine(even, 1);
  combine(odd, -1);
}

std::unique_ptr<const MirroredBasis> mirroredBasis(const DecodeBasis& basis, const std::vector<int32_t>& mirror) {
  const std::vector<Slot> slots = slotsOf(mirror);
  const int columns = basis.columnCount;
  const Values values(basis);
  Parts even(static_cast<size_t>(columns), slots.size()), odd(static_cast<size_t>(columns), slots.size());
  for (int c = 0; c < columns; ++c) {
    float *plus = even.row(c), *minus = odd.row(c);
    for (const Slot& slot : slots) {
      const size_t left = basis.at(static_cast<size_t>(slot.left), 0, c),
                   right = basis.at(static_cast<size_t>(slot.right), 0, c);
      for (size_t axis = 0; axis < kAxes; ++axis) {
        // Halved first: the sum of two numbers may be more than a float holds.
        const float a = 0.5f * values[left + axis * DecodeBasis::kPanel],
                    b = (axis == 0 ? -0.5f : 0.5f) * values[right + axis * DecodeBasis::kPanel];
        *plus++ = a + b;
        *minus++ = a - b;
      }
    }
  }
  auto result = std::make_unique<MirroredBasis>();
  MirroredBasis& to = *result;
  to.even = rowsOf(even, columns, 1);
  to.odd = rowsOf(odd, columns, -1);
  if (static_cast<double>(to.rowCount()) * slots.size() > 0.9 * columns * static_cast<double>(basis.pointCount))
    return nullptr;

  constexpr size_t kPanel = MirroredBasis::kPanel, kRow = MirroredBasis::kRow;
  to.pointCount = basis.pointCount;
  to.columnCount = columns;
  to.panelCount = static_cast<int>((slots.size() + kPanel - 1) / kPanel);
  const size_t halfRows = static_cast<size_t>(to.even.halfCount) + to.odd.halfCount,
               floatRows = static_cast<size_t>(to.even.floatCount) + to.odd.floatCount;
  to.mean = AlignedBuffer<float>(to.panelCount * 2 * kRow);
  to.halves = AlignedBuffer<uint16_t>(to.panelCount * halfRows * kRow);
  to.floats = AlignedBuffer<float>(to.panelCount * floatRows * kRow);
  for (size_t first = 0; first < slots.size(); first += kPanel) {
    const size_t panel = first / kPanel, count = std::min(kPanel, slots.size() - first);
    to.panels.push_back(panelOf(&slots[first], static_cast<int>(count)));
    for (size_t s = 0; s < count; ++s)
      for (int axis = 0; axis < kAxes; ++axis) {
        float* const mean = to.mean.data() + panel * 2 * kRow + static_cast<size_t>(axis) * kPanel + s;
        mean[0] = basis.mean[basis.at(static_cast<size_t>(slots[first + s].left), axis)];
        mean[kRow] = basis.mean[basis.at(static_cast<size_t>(slots[first + s].right), axis)];
      }
    uint16_t* half = to.halves.data() + panel * halfRows * kRow;
    float* whole = to.floats.data() + panel * floatRows * kRow;
    const auto pack = [&](const MirroredBasis::Rows& rows, Parts& parts) {
      for (int r = 0; r < rows.count(); ++r) {
        const float* from = parts.row(rows.column[static_cast<size_t>(r)]) + first * kAxes;
        const bool isHalf = r < rows.halfCount;
        for (size_t s = 0; s < count; ++s)
          for (size_t axis = 0; axis < kAxes; ++axis, ++from) {
            if (isHalf)
              exactHalf(*from, half + axis * kPanel + s);
            else
              whole[axis * kPanel + s] = *from;
          }
        half += isHalf ? kRow : 0;
        whole += isHalf ? 0 : kRow;
      }
    };
    pack(to.even, even);
    pack(to.odd, odd);
  }
  return result;
}

}  // namespace sfm
