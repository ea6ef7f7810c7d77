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

std::vector<float> decodeAll(DecodeFunction decode, const DecodeBasis& basis, const Faces& faces, bool stream = false) {
  const size_t size = static_cast<size_t>(faces.count) * basis.pointCount * 3;
  std::vector<float> vertices(size + 16, 42.0f);
  AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
  DecodeFaces view = faces.view(vertices.data());
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

// What is promised: a face's size, the default model's columns, every latent anywhere within five standard deviations.
CASE(latents_within_five_standard_deviations_stay_within_a_micrometre) {
  SyntheticModel synthetic(modelOptions(30, 75, 53));
  const FaceModel model(synthetic.source());
  const DecodeBasis& basis = model.decodeBasis();
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
    const TilesTable& table = *tables().front();
    for (const bool fast : {false, true}) {
      const std::vector<float> actual = decodeAll(fast ? table.decodeFast : table.decode, basis, faces);
      double worst = 0, square = 0;
      for (size_t i = 0; i < actual.size(); ++i) {
        const double error = actual[i] - expected[i];
        worst = std::max(worst, std::fabs(error));
        square += error * error;
      }
      CHECK_AT_MOST(worst, fast ? 0.1 : 1e-3);
      // Not the same thing twice.
      CHECK((worst > 2.5e-4) == fast);
      note(fast ? "fast" : "standard", posed ? ", posed" : "", ": worst error ", worst, " mm, root mean square ",
           std::sqrt(square / static_cast<double>(actual.size())), " mm; sum |b c| up to ",
           *std::max_element(sums.begin(), sums.end()), " mm");
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

CASE(bits_do_not_depend_on_batch_cut_or_vectors) {
  SyntheticModel synthetic(modelOptions(17, 20, 15));  // 289 points, more panels than are staged at a time; 35 columns
  const FaceModel model(synthetic.source());
  const DecodeBasis& basis = model.decodeBasis();
  const size_t row = static_cast<size_t>(basis.pointCount) * 3;
  AlignedBuffer<float> scratch(decodeScratch(basis, 70));
  for (const int way : {0, 1, 2, 3}) {
    const bool posed = way % 2 != 0, fast = way >= 2;
    const Faces faces(model, 70, posed);
    std::vector<float> first;
    for (const TilesTable* table : tables()) {
      const Scope scope(table->name, posed ? ", posed" : "", fast ? ", fast" : "");
      const DecodeFunction decode = fast ? table->decodeFast : table->decode;
      const std::vector<float> whole = decodeAll(decode, basis, faces);
      std::vector<float> parts(whole.size());
      const auto same = [&](int begin, int end) {
        return std::memcmp(&parts[row * begin], &whole[row * begin], row * (end - begin) * sizeof(float)) == 0;
      };
      for (const int size : {1, 15, 17, 31, 32, 48}) {
        const Scope cut("by ", size);
        std::fill(parts.begin(), parts.end(), 0.0f);
        for (int begin = 0; begin < faces.count; begin += size)
          decode(basis, faces.view(parts.data()), 0, basis.panelCount, begin, std::min(faces.count, begin + size),
                 scratch.data());
        CHECK(same(0, faces.count));
      }
      for (const int panels : {1, 5, 17}) {
        std::fill(parts.begin(), parts.end(), 0.0f);
        for (int begin = 0; begin < basis.panelCount; begin += panels)
          decode(basis, faces.view(parts.data()), begin, std::min(basis.panelCount, begin + panels), 3, 50,
                 scratch.data());
        CHECK(same(3, 50));
      }
      // Without a pose there is nothing that vectors could fuse or not.
      if (posed) continue;
      if (first.empty()) first = whole;
      CHECK(whole == first);
    }
  }
}

// Past the caches or through them, to places of any alignment: the same numbers, and nothing beside them.
CASE(streams_write_what_stores_write) {
  SyntheticModel synthetic(modelOptions(17));
  const FaceModel model(synthetic.source());
  const DecodeBasis& basis = model.decodeBasis();
  const Faces faces(model, 35, true);
  const auto compare = [&](DecodeFunction decode) {
    const std::vector<float> expected = decodeAll(decode, basis, faces);
    AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
    for (size_t offset = 0; offset < 17; ++offset) {
      AlignedBuffer<float> out(expected.size() + 40);
      std::fill(out.data(), out.data() + out.size(), 42.0f);
      DecodeFaces view = faces.view(out.data() + offset);
      view.stream = true;
      for (int begin = 0; begin < basis.panelCount; begin += 7)
        decode(basis, view, begin, std::min(basis.panelCount, begin + 7), 0, faces.count, scratch.data());
      CHECK(std::equal(expected.begin(), expected.end(), out.data() + offset));
      for (size_t i = 0; i < out.size(); ++i)
        if (i < offset || i >= offset + expected.size()) CHECK_EQUAL(out[i], 42.0f);
    }
  };
  forEachKernels([&](const CpuKernels& kernels) { compare(kernels.decode); });
  compare(tables().front()->decode);
}

// Tiles are for 16-bit bases and for who does not ask for single precision.
CASE(the_backend_takes_tiles_where_they_serve) {
  const TilesTable& tiles = *tables().front();
  const CpuKernels& plain = kPortableKernels;
  CpuKernels kernels = plain;
  kernels.name = "emulated tiles";
  kernels.decodeOnTiles = tiles.decode;
  kernels.decodeOnTilesFast = tiles.decodeFast;
  CpuBackend backend(kernels, 3, 10);
  for (const bool half : {true, false}) {
    SyntheticModelOptions options = modelOptions(33);  // more than one task's panels
    options.half = half;
    SyntheticModel synthetic(options);
    const auto model = std::make_shared<const FaceModel>(synthetic.source());
    const Faces faces(*model, 40, true);
    const std::vector<float> single = decodeAll(plain.decode, model->decodeBasis(), faces);
    std::vector<float> standard = single, fast = single;
    if (half) {
      standard = decodeAll(tiles.decode, model->decodeBasis(), faces);
      fast = decodeAll(tiles.decodeFast, model->decodeBasis(), faces);
      CHECK(single != standard && single != fast && standard != fast);
    }
    for (const bool normals : {false, true}) {
      for (const DecodePrecision precision :
           {DecodePrecision::kStandard, DecodePrecision::kFast, DecodePrecision::kExact}) {
        auto batch = std::make_shared<DecodeBatch>();
        batch->model = model;
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

// Where the processor has tiles: they and the emulation agree to the bit.
CASE(real_tiles_do_what_the_emulation_does) {
#if defined(SFM_AMX)
  if (!kAmxKernels.supported()) return note("skipped: this processor has no matrix tiles");
  SyntheticModel synthetic(modelOptions(30, 75, 53));
  const FaceModel model(synthetic.source());
  for (const bool posed : {false, true})
    for (const int count : {1, 16, 33, 70}) {
      const Scope scope(count, posed ? ", posed" : "");
      const Faces faces(model, count, posed);
      CHECK(decodeAll(kAmxKernels.decodeOnTiles, model.decodeBasis(), faces) ==
            decodeAll(kAvx512Tiles.decode, model.decodeBasis(), faces));
      CHECK(decodeAll(kAmxKernels.decodeOnTilesFast, model.decodeBasis(), faces) ==
            decodeAll(kAvx512Tiles.decodeFast, model.decodeBasis(), faces));
    }
#else
  note("skipped: this build has no code for matrix tiles");
#endif
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
