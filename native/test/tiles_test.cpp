// Decoding on matrix tiles, which are emulated: the kernel's logic and its error, whatever the processor. Where there are
// real ones, that they do the same to the bit.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>
#include <memory>
#include <vector>

#include "core/Half.h"
#include "cpu/CpuBackend.h"
#include "test/Check.h"
#include "test/EachKernels.h"
#include "test/Faces.h"
#include "test/SyntheticModel.h"
#include "test/kernels/TilesTable.h"

using namespace sfm;
using namespace sfm::test;

namespace {

std::vector<const TilesTable*> tables() {
  std::vector<const TilesTable*> supported;
  for (const TilesTable* table : {
#if defined(SFM_X86_64)
           &kAvx512Tiles,
#endif
           &kPortableTiles})
    if (table->supported()) supported.push_back(table);
  return supported;
}

// What a basis is multiplied by.
std::vector<float> coefficientsOf(const DecodeBasis&, const Faces& faces) { return faces.coefficients; }
std::vector<float> coefficientsOf(const MirroredBasis& basis, const Faces& faces) {
  return faces.rowCoefficients(basis);
}

// Decode is the basis's: a DecodeFunction or a DecodeMirroredFunction.
template <class Decode, class Basis>
std::vector<float> decodeAll(Decode decode, const Basis& basis, const Faces& faces, bool stream = false) {
  const size_t size = static_cast<size_t>(faces.count) * basis.pointCount * 3;
  std::vector<float> vertices(size + 16, 42.0f);
  AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
  const std::vector<float> coefficients = coefficientsOf(basis, faces);
  DecodeFaces view = faces.view(vertices.data());
  view.coefficients = coefficients.data();
  view.stream = stream;
  decode(basis, view, 0, basis.panelCount, 0, faces.count, scratch.data());
  for (size_t i = size; i < vertices.size(); ++i) CHECK_EQUAL(vertices[i], 42.0f);  // nothing beyond the last point
  vertices.resize(size);
  return vertices;
}

SyntheticModelOptions modelOptions(int side, int tangent = 20, int expressions = 8) {
  SyntheticModelOptions options;
  options.side = side;
  options.half = true;
  options.tangent = tangent;
  options.expressions = expressions;
  return options;
}

SyntheticModelOptions mirroredOptions(int side, int general = 0, int tangent = 20, int expressions = 8) {
  SyntheticModelOptions options = modelOptions(side, tangent, expressions);
  options.mirrored = true;
  options.general = general;
  return options;
}

uint32_t words(float low, float high) {
  uint32_t bits[2];
  std::memcpy(&bits[0], &low, sizeof low);
  std::memcpy(&bits[1], &high, sizeof high);
  return bits[0] >> 16 | (bits[1] & 0xffff0000u);
}

// One product of tiles whose first row of `a` and first column of `b` are given, pair by pair.
float productOf(const TilesTable& table, const std::vector<uint32_t>& a, const std::vector<uint32_t>& b,
                float sum = 0) {
  uint32_t tileA[256] = {}, tileB[256] = {};
  float sums[256] = {sum};
  for (size_t k = 0; k < a.size(); ++k) {
    tileA[k] = a[k];
    tileB[16 * k] = b[k];
  }
  table.multiplyAdd(1, tileA, tileB, sums);
  return sums[0];
}

// sum |b c| of each number: what errors are relative to.
std::vector<double> magnitudes(const DecodeBasis& basis, const Faces& faces) {
  std::vector<double> sums;
  for (int face = 0; face < faces.count; ++face)
    for (int point = 0; point < basis.pointCount; ++point)
      for (int axis = 0; axis < 3; ++axis) {
        double sum = 0;
        for (int c = 0; c < basis.columnCount; ++c) {
          const size_t panel = static_cast<size_t>(point / DecodeBasis::kPanel);
          const size_t at = (panel * basis.columnCount + c) * DecodeBasis::kRow +
                            static_cast<size_t>(axis * DecodeBasis::kPanel + point % DecodeBasis::kPanel);
          sum += std::fabs(static_cast<double>(halfToFloat(basis.halves[at])) *
                           faces.coefficients[static_cast<size_t>(face) * basis.columnCount + c]);
        }
        sums.push_back(sum);
      }
  return sums;
}

// How far the numbers of faces whose sides are decoded together may be from the truth: of sum |b c| over the even and the odd
// rows, 2^-17 for what two parts of a coefficient do not hold and, where a row is not of 16 bits, for what two of the row's
// do not, 2^-16 for the product that the faster way leaves out, and the roundings of the sums; then those of the pose.
std::vector<double> mirroredBound(const MirroredBasis& basis, const Faces& faces, bool fast) {
  constexpr double kUnit = 1.0 / (1 << 24), kSplit = 1.0 / (1 << 17);
  constexpr size_t kPanel = MirroredBasis::kPanel, kRow = MirroredBasis::kRow;
  const std::vector<float> coefficients = faces.rowCoefficients(basis);
  const size_t rows = static_cast<size_t>(basis.rowCount()),
               halfRows = static_cast<size_t>(basis.even.halfCount + basis.odd.halfCount), floatRows = rows - halfRows;
  std::vector<double> bounds(static_cast<size_t>(faces.count) * basis.pointCount * 3);
  for (int face = 0; face < faces.count; ++face) {
    const float* const pose = faces.poses.empty() ? nullptr : &faces.poses[static_cast<size_t>(face) * 12];
    for (size_t panel = 0; panel < basis.panels.size(); ++panel) {
      const MirroredBasis::Panel& places = basis.panels[panel];
      for (int i = 0; i < places.count; ++i) {
        const size_t lane = static_cast<size_t>(places.lane[i]) % kPanel,
                     side = static_cast<size_t>(places.lane[i]) / kPanel;
        double error[3], size[3];
        for (size_t axis = 0; axis < 3; ++axis) {
          const size_t slot = axis * kPanel + lane;
          const uint16_t* half = basis.halves.data() + panel * halfRows * kRow + slot;
          const float* whole = basis.floats.data() + panel * floatRows * kRow + slot;
          const float* c = &coefficients[static_cast<size_t>(face) * rows];
          double sum = 0, split = 0;
          for (const MirroredBasis::Rows* part : {&basis.even, &basis.odd})
            for (int r = 0; r < part->count(); ++r, ++c) {
              const bool isHalf = r < part->halfCount;
              const double product = std::fabs(static_cast<double>(isHalf ? halfToFloat(*half) : *whole) * *c);
              half += isHalf ? kRow : 0;
              whole += isHalf ? 0 : kRow;
              sum += product;
              split += product * ((isHalf ? 1 : 2) * kSplit + (fast ? 2 * kSplit : 0));
            }
          const double mean = std::fabs(basis.mean[panel * 2 * kRow + side * kRow + slot]);
          error[axis] = split + 2 * static_cast<double>(rows + 2) * kUnit * sum + 2 * kUnit * mean;
          size[axis] = mean + sum;
        }
        double* const bound = &bounds[(static_cast<size_t>(face) * basis.pointCount + places.vertex[i]) * 3];
        for (size_t axis = 0; axis < 3; ++axis) {
          bound[axis] = error[axis];
          if (!pose) continue;
          bound[axis] = 6 * kUnit * std::fabs(pose[9 + axis]);
          for (size_t b = 0; b < 3; ++b)
            bound[axis] += std::fabs(pose[3 * axis + b]) * (error[b] + 6 * kUnit * size[b]);
        }
      }
    }
  }
  return bounds;
}

}  // namespace

// The emulation itself, by numbers worked out by hand from the instruction's definition.
CASE(products_are_those_of_the_instruction) {
  constexpr float kTiny = 1.0f / (1 << 24);  // half a unit in the last place of 1
  for (const TilesTable* table : tables()) {
    const Scope scope(table->name);
    CHECK_EQUAL(productOf(*table, {words(2, 3), words(5, 7)}, {words(10, 100), words(1000, 9984)}, 1.0f), 75209.0f);
    // First members and second are summed by themselves: each tiny number meets 1 alone and is lost, ...
    CHECK_EQUAL(
        productOf(*table, {words(1, 0), words(kTiny, 0), words(kTiny, 0)}, {words(1, 0), words(1, 0), words(1, 0)}),
        1.0f);
    // ... or the two meet each other first.
    CHECK_EQUAL(productOf(*table, {words(1, kTiny), words(0, kTiny)}, {words(1, 1), words(0, 1)}), 1 + 2 * kTiny);
    // What was there comes last.
    CHECK_EQUAL(productOf(*table, {words(kTiny, kTiny)}, {words(1, 1)}, 1.0f), 1 + 2 * kTiny);
    // Multiply-adds are fused: 1.0078125^2 - 1 keeps all its digits beside the product.
    CHECK_EQUAL(productOf(*table, {words(-1, 0), words(1.0078125f, 0)}, {words(1, 0), words(1.0078125f, 0)}),
                1.0078125f * 1.0078125f - 1);
    // Denormal numbers are zero: as what is multiplied, as what comes out, as what was there.
    CHECK_EQUAL(productOf(*table, {words(1e-39f, 0)}, {words(1e30f, 0)}), 0.0f);
    CHECK_EQUAL(productOf(*table, {words(0x1p-100f, 0)}, {words(0x1p-30f, 0)}), 0.0f);
    CHECK_EQUAL(productOf(*table, {words(0, 0)}, {words(0, 0)}, 1e-39f), 0.0f);
    CHECK_EQUAL(productOf(*table, {words(0x1p-100f, 0)}, {words(0x1p-26f, 0)}), 0x1p-126f);
  }
}

// Every finite 16-bit number is the sum of its two parts: with the coefficient 1 and no mean it comes out as it went in.
CASE(a_basis_of_16_bits_loses_nothing) {
  DecodeBasis basis;
  std::vector<uint16_t> finite;
  for (uint32_t bits = 0; bits < 0x10000; ++bits)
    if ((bits & 0x7c00u) != 0x7c00u) finite.push_back(static_cast<uint16_t>(bits));
  basis.panelCount = static_cast<int>((finite.size() + DecodeBasis::kRow - 1) / DecodeBasis::kRow);
  basis.pointCount = basis.panelCount * DecodeBasis::kPanel;
  basis.columnCount = 1;
  basis.mean = AlignedBuffer<float>(static_cast<size_t>(basis.panelCount) * DecodeBasis::kRow);
  basis.halves = AlignedBuffer<uint16_t>(static_cast<size_t>(basis.panelCount) * DecodeBasis::kRow);
  std::copy(finite.begin(), finite.end(), basis.halves.data());
  const float one = 1;
  for (const TilesTable* table : tables()) {
    const Scope scope(table->name);
    AlignedBuffer<float> scratch(decodeScratch(basis, 1));
    for (const DecodeFunction decode : {table->decode, table->decodeFast}) {
      std::vector<float> vertices(static_cast<size_t>(basis.pointCount) * 3);
      decode(basis, {&one, nullptr, vertices.data()}, 0, basis.panelCount, 0, 1, scratch.data());
      for (size_t i = 0; i < basis.halves.size(); ++i) {
        const size_t panel = i / DecodeBasis::kRow, axis = i % DecodeBasis::kRow / DecodeBasis::kPanel,
                     point = panel * DecodeBasis::kPanel + i % DecodeBasis::kPanel;
        CHECK_EQUAL(vertices[3 * point + axis], halfToFloat(basis.halves[i]));
      }
    }
  }
}

// The a-priori bound: of sum |b c|, 2^-17 for what two parts of a coefficient do not hold, 2^-16 for the product that the
// faster way leaves out, and the roundings of the sums.
CASE(errors_stay_within_their_bound) {
  constexpr double kUnit = 1.0 / (1 << 24);
  for (const TilesTable* table : tables()) {
    for (const bool fast : {false, true}) {
      const Scope scope(table->name, fast ? ", fast" : "");
      const double split = 1.0 / (1 << 17) + (fast ? 1.0 / (1 << 16) : 0);
      double tightest = 0;
      for (const int side : {1, 3, 4, 5, 7, 12, 13}) {
        for (const int expressions : {0, 11, 12, 43, 44, 45}) {  // with 20: around one step and two
          SyntheticModel synthetic(modelOptions(side, 20, expressions));
          const FaceModel model(synthetic.source());
          const DecodeBasis& basis = model.decodeBasis();
          const Scope sizes("side ", side, ", columns ", basis.columnCount);
          const Faces faces(model, side < 7 ? 3 : 40, false);
          const std::vector<float> actual = decodeAll(fast ? table->decodeFast : table->decode, basis, faces);
          std::vector<double> expected(actual.size());
          decodeReference(basis, faces.view(nullptr), 0, faces.count, expected.data());
          const std::vector<double> sums = magnitudes(basis, faces);
          for (size_t i = 0; i < actual.size(); ++i) {
            const double error = std::fabs(actual[i] - expected[i]);
            const double bound = (split + 2 * basis.columnCount * kUnit) * sums[i] + kUnit * std::fabs(expected[i]);
            CHECK_AT_MOST(error, bound);
            if (sums[i] > 0) tightest = std::max(tightest, error / bound);
          }
        }
      }
      note(table->name, fast ? ", fast" : "", ": at most ", tightest, " of the bound");
    }
  }
}

CASE(both_sides_at_once_stay_within_their_bound) {
  for (const TilesTable* table : tables()) {
    int contiguous = 0, scattered = 0;
    for (const bool fast : {false, true}) {
      double tightest = 0;
      // Panels whose vertices are neighbours (2, 3, 4, 8) and others, full and not; with vertices that are their own
      // mirror images where the side is odd.
      for (const int side : {2, 3, 4, 7, 8, 12, 13}) {
        // 14, 18 and 38 rows of each kind, the last more than a step; and a symmetric one alone.
        for (const SyntheticModelOptions& options :
             {mirroredOptions(side), mirroredOptions(side, 2), mirroredOptions(side, 6, 40, 24),
              mirroredOptions(side, 0, 1, 0)}) {
          SyntheticModel synthetic(options);
          const FaceModel model(synthetic.source());
          const MirroredBasis* const basis = model.mirroredBasis();
          CHECK(basis != nullptr);
          for (const MirroredBasis::Panel& panel : basis->panels) ++(panel.contiguous ? contiguous : scattered);
          for (const int count : {1, 15, 16, 17, 33}) {
            for (const bool posed : {false, true}) {
              const Faces faces(model, count, posed);
              const std::vector<double> bound = mirroredBound(*basis, faces, fast);
              std::vector<double> expected(bound.size());
              decodeReference(model.decodeBasis(), faces.view(nullptr), 0, faces.count, expected.data());
              for (const bool stream : {false, true}) {
                const Scope scope(table->name, fast ? ", fast" : "", ", side ", side, ", rows ", basis->rowCount(),
                                  ", batch ", count, posed ? ", posed" : "", stream ? ", streamed" : "");
                const std::vector<float> actual =
                    decodeAll(fast ? table->decodeMirroredFast : table->decodeMirrored, *basis, faces, stream);
                for (size_t i = 0; i < actual.size(); ++i) {
                  const double error = std::fabs(actual[i] - expected[i]);
                  CHECK_AT_MOST(error, bound[i]);
                  if (bound[i] > 0) tightest = std::max(tightest, error / bound[i]);
                }
              }
            }
          }
        }
      }
      note(table->name, fast ? ", fast" : "", ": at most ", tightest, " of the bound");
    }
    CHECK(contiguous > 0 && scattered > 0);
  }
}

// What is promised: a face's size, the default model's columns, every latent anywhere within five standard deviations.
CASE(latents_within_five_standard_deviations_stay_within_a_micrometre) {
  SyntheticModel plain(modelOptions(30, 75, 53)), symmetric(mirroredOptions(30, 9, 75, 53));
  const TilesTable& table = *tables().front();
  for (SyntheticModel* synthetic : {&plain, &symmetric}) {
    const FaceModel model(synthetic->source());
    const DecodeBasis& basis = model.decodeBasis();
    const MirroredBasis* const mirrored = model.mirroredBasis();
    CHECK_EQUAL(mirrored != nullptr, synthetic == &symmetric);
    for (const bool posed : {false, true}) {
      Faces faces(model, 33, posed);
      Random random(3);
      for (int face = 0; face < faces.count; ++face)
        for (int c = 0; c < basis.columnCount; ++c) {
          // The last faces have every latent at its limit.
          const double deviation = c < 75 ? model.inverseRadius() : model.expressionStddev()[c - 75],
                       place = face < 20            ? random.uniform(-1, 1)
                               : random.chance(0.5) ? 1
                                                    : -1;
          faces.coefficients[static_cast<size_t>(face) * basis.columnCount + c] =
              static_cast<float>(5 * deviation * place);
        }
      const std::vector<double> sums = magnitudes(basis, faces);
      std::vector<double> expected(sums.size());
      decodeReference(basis, faces.view(nullptr), 0, faces.count, expected.data());
      double standardSquare = 0;
      for (const bool fast : {false, true}) {
        const std::vector<float> actual =
            mirrored ? decodeAll(fast ? table.decodeMirroredFast : table.decodeMirrored, *mirrored, faces)
                     : decodeAll(fast ? table.decodeFast : table.decode, basis, faces);
        double worst = 0, square = 0;
        for (size_t i = 0; i < actual.size(); ++i) {
          const double error = actual[i] - expected[i];
          worst = std::max(worst, std::fabs(error));
          square += error * error;
        }
        CHECK_AT_MOST(worst, fast ? 0.1 : 1e-3);
        // Not the same thing twice.
        if (fast) CHECK(square > 1.5 * standardSquare);
        standardSquare = square;
        note(mirrored ? "both sides, " : "", fast ? "fast" : "standard", posed ? ", posed" : "", ": worst error ",
             worst, " mm, root mean square ", std::sqrt(square / static_cast<double>(actual.size())),
             " mm; sum |b c| up to ", *std::max_element(sums.begin(), sums.end()), " mm");
      }
    }
  }
}

CASE(a_basis_of_no_columns_decodes_to_its_mean) {
  DecodeBasis basis;
  basis.pointCount = 5;
  basis.panelCount = 1;
  basis.mean = AlignedBuffer<float>(DecodeBasis::kRow);
  for (size_t i = 0; i < DecodeBasis::kRow; ++i) basis.mean[i] = static_cast<float>(i);
  basis.halves = AlignedBuffer<uint16_t>(0);
  for (const TilesTable* table : tables()) {
    std::vector<float> vertices(30);
    AlignedBuffer<float> scratch(decodeScratch(basis, 2));
    table->decode(basis, {nullptr, nullptr, vertices.data()}, 0, 1, 0, 2, scratch.data());
    for (size_t i = 0; i < 30; ++i)
      CHECK_EQUAL(vertices[i], static_cast<float>(i % 3 * DecodeBasis::kPanel + i % 15 / 3));
  }
}

namespace {

// Of a basis and the function that decodes it on each table: the same bits however the faces and panels are cut.
template <class Basis, class DecodeOf>
void compareCuts(const Basis& basis, const Faces& faces, const DecodeOf& decodeOf) {
  const size_t row = static_cast<size_t>(basis.pointCount) * 3;
  const std::vector<float> coefficients = coefficientsOf(basis, faces);
  AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
  std::vector<float> first;
  for (const TilesTable* table : tables()) {
    const Scope scope(table->name);
    const auto decode = decodeOf(*table);
    const std::vector<float> whole = decodeAll(decode, basis, faces);
    std::vector<float> parts(whole.size());
    DecodeFaces view = faces.view(parts.data());
    view.coefficients = coefficients.data();
    const auto same = [&](int begin, int end) {
      return std::memcmp(&parts[row * begin], &whole[row * begin], row * (end - begin) * sizeof(float)) == 0;
    };
    for (const int size : {1, 15, 17, 31, 32, 48}) {
      const Scope cut("by ", size);
      std::fill(parts.begin(), parts.end(), 0.0f);
      for (int begin = 0; begin < faces.count; begin += size)
        decode(basis, view, 0, basis.panelCount, begin, std::min(faces.count, begin + size), scratch.data());
      CHECK(same(0, faces.count));
    }
    for (const int panels : {1, 5, 17}) {
      const Scope cut("by panels ", panels);
      std::fill(parts.begin(), parts.end(), 0.0f);
      for (int begin = 0; begin < basis.panelCount; begin += panels)
        decode(basis, view, begin, std::min(basis.panelCount, begin + panels), 3, 50, scratch.data());
      CHECK(same(3, 50));
    }
    // Without a pose there is nothing that vectors could fuse or not.
    if (!faces.poses.empty()) continue;
    if (first.empty()) first = whole;
    CHECK(whole == first);
  }
}

}  // namespace

CASE(bits_do_not_depend_on_batch_cut_or_vectors) {
  // 289 points, more panels than are staged at a time; 35 columns.
  SyntheticModel plain(modelOptions(17, 20, 15));
  // 625 points, of which 25 are their own mirror image: 21 panels; 29 rows of each kind.
  SyntheticModel symmetric(mirroredOptions(25, 12, 30, 18));
  const FaceModel model(plain.source()), mirrored(symmetric.source());
  CHECK(mirrored.mirroredBasis() != nullptr);
  for (const bool posed : {false, true})
    for (const bool fast : {false, true}) {
      const Scope scope(posed ? "posed" : "", fast ? ", fast" : "");
      compareCuts(model.decodeBasis(), Faces(model, 70, posed),
                  [&](const TilesTable& table) { return fast ? table.decodeFast : table.decode; });
      compareCuts(*mirrored.mirroredBasis(), Faces(mirrored, 70, posed),
                  [&](const TilesTable& table) { return fast ? table.decodeMirroredFast : table.decodeMirrored; });
    }
}

namespace {

// Past the caches or through them, to places of any alignment: the same numbers, and nothing beside them.
template <class Decode, class Basis>
void compareStreams(Decode decode, const Basis& basis, const Faces& faces) {
  const std::vector<float> expected = decodeAll(decode, basis, faces), coefficients = coefficientsOf(basis, faces);
  AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
  for (size_t offset = 0; offset < 17; ++offset) {
    AlignedBuffer<float> out(expected.size() + 40);
    std::fill(out.data(), out.data() + out.size(), 42.0f);
    DecodeFaces view = faces.view(out.data() + offset);
    view.coefficients = coefficients.data();
    view.stream = true;
    for (int begin = 0; begin < basis.panelCount; begin += 7)
      decode(basis, view, begin, std::min(basis.panelCount, begin + 7), 0, faces.count, scratch.data());
    CHECK(std::equal(expected.begin(), expected.end(), out.data() + offset));
    for (size_t i = 0; i < out.size(); ++i)
      if (i < offset || i >= offset + expected.size()) CHECK_EQUAL(out[i], 42.0f);
  }
}

}  // namespace

CASE(streams_write_what_stores_write) {
  SyntheticModel synthetic(modelOptions(17));
  const FaceModel model(synthetic.source());
  const Faces faces(model, 35, true);
  forEachKernels([&](const CpuKernels& kernels) { compareStreams(kernels.decode, model.decodeBasis(), faces); });
  compareStreams(tables().front()->decode, model.decodeBasis(), faces);
  // Panels of a row of vertices, with one that is its own mirror image (31) and without (32), which stream; and others.
  for (const int side : {13, 31, 32}) {
    const Scope scope("both sides, side ", side);
    SyntheticModel symmetric(mirroredOptions(side));
    const FaceModel mirrored(symmetric.source());
    compareStreams(tables().front()->decodeMirrored, *mirrored.mirroredBasis(), Faces(mirrored, 35, true));
  }
}

// Tiles are for 16-bit bases and for who does not ask for single precision.
CASE(the_backend_takes_tiles_where_they_serve) {
  const TilesTable& tiles = *tables().front();
  const CpuKernels& plain = kPortableKernels;
  CpuKernels kernels = plain;
  kernels.name = "emulated tiles";
  kernels.decodeOnTiles = tiles.decode;
  kernels.decodeOnTilesFast = tiles.decodeFast;
  kernels.decodeMirroredOnTiles = tiles.decodeMirrored;
  kernels.decodeMirroredOnTilesFast = tiles.decodeMirroredFast;
  CpuBackend backend(kernels, 3, 10);
  // More than one task's panels: of 1,089 points, of 2,116 for which a panel is 16 pairs, and of a few landmarks.
  const struct {
    SyntheticModelOptions options;
    bool landmarks;
  } cases[] = {{modelOptions(33), false}, {mirroredOptions(46), false}, {mirroredOptions(8), true}};
  for (const auto& wanted : cases) {
    for (const bool half : {true, false}) {
      SyntheticModelOptions options = wanted.options;
      options.half = half;
      SyntheticModel synthetic(options);
      const auto model = std::make_shared<const FaceModel>(synthetic.source());
      const auto scheme =
          wanted.landmarks ? std::make_shared<const LandmarkScheme>(*model, synthetic.landmarks(68)) : nullptr;
      const DecodeBasis& basis = scheme ? scheme->points : model->decodeBasis();
      const MirroredBasis* const mirrored = scheme ? nullptr : model->mirroredBasis();
      CHECK_EQUAL(mirrored != nullptr, options.mirrored && !wanted.landmarks);
      const Scope scope("half ", half, ", mirrored ", mirrored != nullptr, ", landmarks ", wanted.landmarks);
      const Faces faces(*model, 40, true);
      const auto decoded = [&](DecodeFunction decode, DecodeMirroredFunction decodeMirrored) {
        return mirrored ? decodeAll(decodeMirrored, *mirrored, faces) : decodeAll(decode, basis, faces);
      };
      const std::vector<float> single = decoded(plain.decode, plain.decodeMirrored);
      std::vector<float> standard = single, fast = single;
      if (basis.isHalf()) {
        standard = decoded(tiles.decode, tiles.decodeMirrored);
        fast = decoded(tiles.decodeFast, tiles.decodeMirroredFast);
        CHECK(single != standard && single != fast && standard != fast);
      }
      for (const bool normals : {false, true}) {
        if (normals && scheme) continue;  // landmarks have none
        for (const DecodePrecision precision :
             {DecodePrecision::kStandard, DecodePrecision::kFast, DecodePrecision::kExact}) {
          auto batch = std::make_shared<DecodeBatch>();
          batch->model = model;
          batch->scheme = scheme;
          batch->count = faces.count;
          batch->coefficients = faces.coefficients;
          batch->poses = faces.poses;
          batch->precision = precision;
          batch->owned = AlignedBuffer<float>(single.size());
          batch->vertices = batch->owned.data();
          if (normals) batch->normals = AlignedBuffer<float>(single.size());
          const std::vector<float>& expected = precision == DecodePrecision::kStandard ? standard
                                               : precision == DecodePrecision::kFast   ? fast
                                                                                       : single;
          backend.decodeNow(*batch);
          CHECK(std::equal(expected.begin(), expected.end(), batch->vertices));
          std::fill(batch->vertices, batch->vertices + single.size(), 0.0f);
          std::promise<std::exception_ptr> finished;
          backend.decode(batch, std::make_shared<Cancellation>(),
                         [&](std::exception_ptr error) { finished.set_value(error); });
          CHECK(finished.get_future().get() == nullptr);
          CHECK(std::equal(expected.begin(), expected.end(), batch->vertices));
        }
      }
    }
  }
}

// Where the processor has tiles: they and the emulation agree to the bit.
CASE(real_tiles_do_what_the_emulation_does) {
#if defined(SFM_AMX)
  if (!kAmxKernels.supported()) return note("skipped: this processor has no matrix tiles");
  SyntheticModel synthetic(mirroredOptions(30, 9, 75, 53));
  const FaceModel model(synthetic.source());
  for (const bool posed : {false, true})
    for (const int count : {1, 16, 33, 70}) {
      const Scope scope(count, posed ? ", posed" : "");
      const Faces faces(model, count, posed);
      const auto compare = [&](auto real, auto emulated, const auto& basis) {
        CHECK(decodeAll(real, basis, faces) == decodeAll(emulated, basis, faces));
      };
      compare(kAmxKernels.decodeOnTiles, kAvx512Tiles.decode, model.decodeBasis());
      compare(kAmxKernels.decodeOnTilesFast, kAvx512Tiles.decodeFast, model.decodeBasis());
      compare(kAmxKernels.decodeMirroredOnTiles, kAvx512Tiles.decodeMirrored, *model.mirroredBasis());
      compare(kAmxKernels.decodeMirroredOnTilesFast, kAvx512Tiles.decodeMirroredFast, *model.mirroredBasis());
    }
#else
  note("skipped: this build has no code for matrix tiles");
#endif
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
