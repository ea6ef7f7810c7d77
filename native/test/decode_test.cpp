// Decoding: every instruction set against the double-precision reference, the same bits however a batch is cut,
// normals.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>
#include <vector>

#include "core/MirroredBasis.h"
#include "core/Normals.h"
#include "cpu/CpuBackend.h"
#include "cpu/CpuKernels.h"
#include "test/Check.h"
#include "test/EachKernels.h"
#include "test/Faces.h"
#include "test/SyntheticModel.h"

using namespace sfm;
using namespace sfm::test;

namespace {

std::vector<float> decodeAll(const CpuKernels& kernels, const DecodeBasis& basis, const Faces& faces) {
  const size_t size = static_cast<size_t>(faces.count) * basis.pointCount * 3;
  std::vector<float> vertices(size + 1);
  vertices[size] = 42;  // nothing may be written beyond the last point, which ends within a panel
  AlignedBuffer<float> scratch(decodeScratch(basis, faces.count));
  kernels.decode(basis, faces.view(vertices.data()), 0, basis.panelCount, 0, faces.count, scratch.data());
  CHECK_EQUAL(vertices[size], 42.0f);
  vertices.pop_back();
  return vertices;
}

// The error that single precision may make: every vertex is a chain of `columns` multiply-adds (rounded twice each
// where the machine cannot fuse them), then of three for the pose; each rounds by at most 2^-24 of a partial sum,
// which the sum of magnitudes bounds.
std::vector<double> errorBound(const DecodeBasis& basis, const Faces& faces) {
  constexpr double kUnit = 1.0 / (1 << 24);
  std::vector<double> bound;
  for (int face = 0; face < faces.count; ++face) {
    for (int point = 0; point < basis.pointCount; ++point) {
      const size_t panel = static_cast<size_t>(point) / DecodeBasis::kPanel,
                   lane = static_cast<size_t>(point) % DecodeBasis::kPanel;
      double size[3];
      for (size_t a = 0; a < 3; ++a) {
        const size_t slot = a * DecodeBasis::kPanel + lane;
        size[a] = std::fabs(basis.mean[panel * DecodeBasis::kRow + slot]);
        for (int c = 0; c < basis.columnCount; ++c) {
          const size_t at = (panel * basis.columnCount + c) * DecodeBasis::kRow + slot;
          const double value = basis.isHalf() ? halfToFloat(basis.halves[at]) : basis.floats[at];
          size[a] += std::fabs(value * faces.coefficients[static_cast<size_t>(face) * basis.columnCount + c]);
        }
      }
      const double shapeRoundings = 2 * basis.columnCount * kUnit;
      for (size_t a = 0; a < 3; ++a) {
        if (faces.poses.empty()) {
          bound.push_back(shapeRoundings * size[a]);
          continue;
        }
        const float* pose = &faces.poses[static_cast<size_t>(face) * 12];
        double turned = 0;
        for (size_t b = 0; b < 3; ++b) turned += std::fabs(pose[3 * a + b]) * size[b];
        bound.push_back(shapeRoundings * turned + 6 * kUnit * (turned + std::fabs(pose[9 + a])));
      }
    }
  }
  return bound;
}

SyntheticModelOptions modelOptions(int side, bool half, int tangent = 20, int expressions = 8) {
  SyntheticModelOptions options;
  options.side = side;
  options.half = half;
  options.tangent = tangent;
  options.expressions = expressions;
  return options;
}

// Point counts that end anywhere in a panel of 16: 1, 9, 16, 25, 49, 121, 144, 169.
const int kSides[] = {1, 3, 4, 5, 7, 11, 12, 13};

std::vector<int> batchSizes() {
  std::vector<int> sizes;
  for (int b = 1; b <= 20; ++b) sizes.push_back(b);
  sizes.insert(sizes.end(), {64, 65});
  return sizes;
}

}  // namespace

CASE(every_instruction_set_agrees_with_the_reference) {
  forEachKernels([](const CpuKernels& kernels) {
    double worst = 0, worstPosed = 0, tightest = 0;
    const auto compare = [&](const DecodeBasis& basis, const Faces& faces) {
      const std::vector<float> actual = decodeAll(kernels, basis, faces);
      std::vector<double> expected(actual.size());
      decodeReference(basis, faces.view(nullptr), 0, faces.count, expected.data());
      const std::vector<double> bound = errorBound(basis, faces);
      for (size_t i = 0; i < actual.size(); ++i) {
        const double error = std::fabs(actual[i] - expected[i]);
        CHECK_AT_MOST(error, bound[i]);
        double& largest = faces.poses.empty() ? worst : worstPosed;
        largest = std::max(largest, error);
        tightest = std::max(tightest, error / bound[i]);
      }
    };
    for (const bool half : {false, true}) {
      for (const bool posed : {false, true}) {
        for (const int side : kSides) {
          SyntheticModel synthetic(modelOptions(side, half));
          const FaceModel model(synthetic.source());
          for (const int batch : batchSizes()) {
            const Scope scope("half ", half, ", posed ", posed, ", side ", side, ", batch ", batch);
            compare(model.decodeBasis(), Faces(model, batch, posed));
          }
        }
        // The default model's columns.
        SyntheticModel large(modelOptions(30, half, 100, 53));
        const FaceModel model(large.source());
        compare(model.decodeBasis(), Faces(model, 9, posed));
      }
    }
    // A tenth of a micrometre is a hundredth of what 16-bit bases resolve. The partial sums reach a few hundred mm, a
    // metre when posed, where single precision steps by 3e-5 and 6e-5 mm; a handful of such steps is what 150
    // roundings add up to.
    CHECK_AT_MOST(worst, 3e-4);
    CHECK_AT_MOST(worstPosed, 6e-4);
    note(kernels.name, ": worst error ", worst, " mm in model space, ", worstPosed,
         " mm posed at a metre; of the a-priori bound ", tightest);
  });
}

namespace {

SyntheticModelOptions mirroredOptions(int side, bool half, int general = 0) {
  SyntheticModelOptions options = modelOptions(side, half);
  options.mirrored = true;
  options.general = general;
  return options;
}

std::vector<float> decodeMirrored(const CpuKernels& kernels, const MirroredBasis& basis, const Faces& faces) {
  const std::vector<float> rows = faces.rowCoefficients(basis);
  const size_t size = static_cast<size_t>(faces.count) * basis.pointCount * 3;
  std::vector<float> vertices(size + 1);
  vertices[size] = 42;  // as above
  DecodeFaces view = faces.view(vertices.data());
  view.coefficients = rows.data();
  kernels.decodeMirrored(basis, view, 0, basis.panelCount, 0, faces.count, nullptr);
  CHECK_EQUAL(vertices[size], 42.0f);
  vertices.pop_back();
  return vertices;
}

}  // namespace

CASE(both_sides_at_once_are_what_either_is_alone) {
  // Panels whose vertices are neighbours (2, 3, 4) and others, full and not.
  const int sides[] = {2, 3, 4, 7, 12, 13, 16};
  int contiguous = 0, scattered = 0;
  forEachKernels([&](const CpuKernels& kernels) {
    double worst = 0;
    for (const bool half : {false, true}) {
      for (const bool posed : {false, true}) {
        for (const int general : {0, 2}) {
          for (const int side : sides) {
            SyntheticModel synthetic(mirroredOptions(side, half, general));
            const FaceModel model(synthetic.source());
            const MirroredBasis* const basis = model.mirroredBasis();
            CHECK(basis != nullptr);
            for (const MirroredBasis::Panel& panel : basis->panels) ++(panel.contiguous ? contiguous : scattered);
            for (const int batch : batchSizes()) {
              const Scope scope("half ", half, ", posed ", posed, ", general ", general, ", side ", side, ", batch ",
                                batch);
              const Faces faces(model, batch, posed);
              const std::vector<float> actual = decodeMirrored(kernels, *basis, faces);
              std::vector<double> expected(actual.size());
              decodeReference(model.decodeBasis(), faces.view(nullptr), 0, faces.count, expected.data());
              const std::vector<double> bound = errorBound(model.decodeBasis(), faces);
              for (size_t i = 0; i < actual.size(); ++i) {
                const double error = std::fabs(actual[i] - expected[i]);
                CHECK_AT_MOST(error, bound[i]);
                worst = std::max(worst, error);
              }
            }
          }
        }
      }
    }
    CHECK_AT_MOST(worst, 6e-4);  // as above
    note(kernels.name, ": worst error ", worst, " mm");
  });
  CHECK(contiguous > 0 && scattered > 0);
}

CASE(what_mirror_images_share_is_stored_once) {
  for (const bool half : {false, true}) {
    const Scope scope("half ", half);
    SyntheticModel synthetic(mirroredOptions(8, half));
    const FaceModel model(synthetic.source());
    const MirroredBasis* const basis = model.mirroredBasis();
    CHECK(basis != nullptr);
    // 20 identities, of which half are symmetric; 8 expressions, two by two.
    CHECK_EQUAL(basis->even.count(), 10 + 4);
    CHECK_EQUAL(basis->odd.count(), 10 + 4);
    CHECK_EQUAL(basis->panelCount, 2);
    // What 16 bits hold stays in them. The sum of two such numbers they may hold or not.
    CHECK_EQUAL(basis->even.halfCount >= 10 && basis->odd.halfCount >= 10, half);
  }
}

CASE(a_basis_without_symmetry_is_decoded_as_it_is) {
  SyntheticModelOptions options = mirroredOptions(8, true);
  options.general = 8;
  SyntheticModel half(options);
  CHECK(FaceModel(half.source()).mirroredBasis() != nullptr);  // 44 rows instead of 56
  options.general = options.expressions = options.tangent = 20;
  SyntheticModel general(options);
  CHECK(FaceModel(general.source()).mirroredBasis() == nullptr);
  SyntheticModel unknown(modelOptions(8, true));
  CHECK(FaceModel(unknown.source()).mirroredBasis() == nullptr);
}

CASE(a_mirror_map_must_pair_vertices) {
  for (const int32_t wrong : {-1, 3, 64}) {
    SyntheticModel synthetic(mirroredOptions(8, false));
    synthetic.mirror()[5] = wrong;
    CHECK_THROWS(INVALID_MODEL, FaceModel(synthetic.source()));
  }
}

CASE(a_model_of_no_columns_decodes_to_its_mean) {
  SyntheticModel synthetic(modelOptions(5, false, 3, 0));
  std::fill(synthetic.identity().begin(), synthetic.identity().end(), 0.0f);
  const FaceModel model(synthetic.source());
  CHECK_EQUAL(model.decodeBasis().columnCount, 0);
  forEachKernels([&](const CpuKernels& kernels) {
    const std::vector<float> vertices = decodeAll(kernels, model.decodeBasis(), Faces(model, 3, false));
    for (size_t i = 0; i < vertices.size(); ++i) CHECK_EQUAL(vertices[i], synthetic.mean()[i % 75]);
  });
}

CASE(landmarks_alone_are_the_mesh_points_they_stand_on) {
  for (const bool half : {false, true}) {
    SyntheticModel synthetic(modelOptions(13, half));
    const FaceModel model(synthetic.source());
    for (const int count : {1, 15, 16, 17, 68}) {
      const LandmarkSchemeSource source = synthetic.landmarks(count);
      std::vector<SurfacePoint> points;
      for (int i = 0; i < count; ++i)
        points.push_back({{source.indices[3 * i], source.indices[3 * i + 1], source.indices[3 * i + 2]},
                          {source.weights[3 * i], source.weights[3 * i + 1], source.weights[3 * i + 2]}});
      const DecodeBasis basis = model.gatherDecodeBasis(points);
      CHECK_EQUAL(basis.pointCount, count);
      const Faces faces(model, 11, true);
      std::vector<double> mesh(static_cast<size_t>(faces.count) * model.vertexCount() * 3);
      decodeReference(model.decodeBasis(), faces.view(nullptr), 0, faces.count, mesh.data());
      forEachKernels([&](const CpuKernels& kernels) {
        const std::vector<float> actual = decodeAll(kernels, basis, faces);
        for (int face = 0; face < faces.count; ++face)
          for (int i = 0; i < count; ++i)
            for (int a = 0; a < 3; ++a) {
              double expected = 0;
              for (int c = 0; c < 3; ++c)
                expected += points[i].weights[c] *
                            mesh[(static_cast<size_t>(face) * model.vertexCount() + points[i].vertices[c]) * 3 + a];
              CHECK_NEAR(actual[(static_cast<size_t>(face) * count + i) * 3 + a], expected, 5e-4);
            }
      });
    }
  }
}

// Decision 10 of the architecture: a face's result is the same to the bit whatever the batch around it.
CASE(bits_do_not_depend_on_batch_position_size_or_cut) {
  forEachKernels([](const CpuKernels& kernels) {
    for (const bool half : {false, true}) {
      SyntheticModel synthetic(modelOptions(13, half));
      const FaceModel model(synthetic.source());
      const DecodeBasis& basis = model.decodeBasis();
      const size_t row = static_cast<size_t>(basis.pointCount) * 3;
      AlignedBuffer<float> scratch(decodeScratch(basis, 65));
      for (const bool posed : {false, true}) {
        const Scope scope("half ", half, ", posed ", posed);
        const Faces faces(model, 65, posed);
        const std::vector<float> whole = decodeAll(kernels, basis, faces);
        std::vector<float> parts(whole.size());
        const auto same = [&](int begin, int end) {
          return std::memcmp(&parts[row * begin], &whole[row * begin], row * (end - begin) * sizeof(float)) == 0;
        };
        for (int size = 1; size <= 40; ++size) {
          for (int begin = 0; begin < faces.count; begin += size) {
            const int end = std::min(faces.count, begin + size);
            kernels.decode(basis, faces.view(parts.data()), 0, basis.panelCount, begin, end, scratch.data());
          }
          CHECK(same(0, faces.count));
          std::fill(parts.begin(), parts.end(), 0.0f);
        }
        for (const int panels : {1, 2, 3, 7}) {
          for (int begin = 0; begin < basis.panelCount; begin += panels)
            kernels.decode(basis, faces.view(parts.data()), begin, std::min(basis.panelCount, begin + panels), 3, 50,
                           scratch.data());
          CHECK(same(3, 50));
          std::fill(parts.begin(), parts.end(), 0.0f);
        }
      }
    }
  });
}

CASE(bits_of_both_sides_do_not_depend_on_the_cut_either) {
  forEachKernels([](const CpuKernels& kernels) {
    for (const int side : {4, 13}) {
      SyntheticModel synthetic(mirroredOptions(side, true, 1));
      const FaceModel model(synthetic.source());
      const MirroredBasis& basis = *model.mirroredBasis();
      const size_t row = static_cast<size_t>(basis.pointCount) * 3;
      const Faces faces(model, 40, true);
      const std::vector<float> whole = decodeMirrored(kernels, basis, faces), rows = faces.rowCoefficients(basis);
      for (int size = 1; size <= 20; ++size) {
        std::vector<float> parts(whole.size());
        DecodeFaces view = faces.view(parts.data());
        view.coefficients = rows.data();
        for (int face = 0; face < faces.count; face += size)
          for (int panel = 0; panel < basis.panelCount; panel += 1 + size % 3)
            kernels.decodeMirrored(basis, view, panel, std::min(basis.panelCount, panel + 1 + size % 3), face,
                                   std::min(faces.count, face + size), nullptr);
        CHECK(std::memcmp(parts.data(), whole.data(), row * faces.count * sizeof(float)) == 0);
      }
    }
  });
}

CASE(normals_are_the_area_weighted_mean_of_the_triangles_around) {
  SyntheticModel synthetic(modelOptions(9, false));
  // A vertex that no triangle has, a triangle without area, and one given twice.
  std::vector<int32_t>& triangles = synthetic.triangles();
  for (size_t t = 0; t < triangles.size(); t += 3)
    if (triangles[t] == 40 || triangles[t + 1] == 40 || triangles[t + 2] == 40)
      triangles[t] = triangles[t + 1] = triangles[t + 2] = 7;
  triangles.insert(triangles.end(), {0, 1, 9});
  const FaceModel model(synthetic.source());
  const Faces faces(model, 1, true);
  const std::vector<float> vertices = decodeAll(*cpuKernels().front(), model.decodeBasis(), faces);
  std::vector<float> scratch(triangles.size()), normals(vertices.size());
  vertexNormals(model, vertices.data(), scratch.data(), normals.data());
  double worst = 0;
  for (int v = 0; v < model.vertexCount(); ++v) {
    double sum[3] = {0, 0, 0};
    for (size_t t = 0; t < triangles.size(); t += 3) {
      if (triangles[t] != v && triangles[t + 1] != v && triangles[t + 2] != v) continue;
      double p[3][3], area[3];
      for (size_t c = 0; c < 3; ++c)
        for (size_t a = 0; a < 3; ++a) p[c][a] = vertices[3 * static_cast<size_t>(triangles[t + c]) + a];
      const double u[3] = {p[1][0] - p[0][0], p[1][1] - p[0][1], p[1][2] - p[0][2]};
      const double w[3] = {p[2][0] - p[0][0], p[2][1] - p[0][1], p[2][2] - p[0][2]};
      cross(u, w, area);
      for (int a = 0; a < 3; ++a) sum[a] += area[a];
    }
    const double length = std::sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
    for (int a = 0; a < 3; ++a) {
      const double expected = length > 0 ? sum[a] / length : 0, actual = normals[3 * static_cast<size_t>(v) + a];
      worst = std::max(worst, std::fabs(actual - expected));
      CHECK_NEAR(actual, expected, 1e-5);
    }
  }
  for (int a = 0; a < 3; ++a) CHECK_EQUAL(normals[3 * 40 + a], 0.0f);
  note("worst difference ", worst);
}

namespace {

struct Decoded {
  std::vector<float> vertices, normals;
};

enum class Way { kNow, kQueued };

Decoded decodeOn(CpuBackend& backend, Way way, std::shared_ptr<const FaceModel> model,
                 std::shared_ptr<const LandmarkScheme> scheme, const Faces& faces, bool normals) {
  auto batch = std::make_shared<DecodeBatch>();
  batch->model = std::move(model);
  batch->scheme = std::move(scheme);
  batch->count = faces.count;
  batch->coefficients = faces.coefficients;
  batch->poses = faces.poses;
  batch->precision = DecodePrecision::kExact;  // on vectors; tiles_test has the others
  const size_t size = static_cast<size_t>(faces.count) * batch->basis().pointCount * 3;
  batch->owned = AlignedBuffer<float>(size);
  batch->vertices = batch->owned.data();
  if (normals) batch->normals = AlignedBuffer<float>(size);
  if (way == Way::kNow) {
    backend.decodeNow(*batch);
  } else {
    std::promise<std::exception_ptr> finished;
    backend.decode(batch, std::make_shared<Cancellation>(),
                   [&](std::exception_ptr error) { finished.set_value(error); });
    CHECK(finished.get_future().get() == nullptr);
  }
  Decoded result;
  result.vertices.assign(batch->owned.data(), batch->owned.data() + size);
  if (normals) result.normals.assign(batch->normals.data(), batch->normals.data() + size);
  return result;
}

}  // namespace

CASE(backend_gives_equal_bits_for_any_number_of_threads) {
  // 1,225 points and 1,600: more than one block of panels.
  for (const SyntheticModelOptions& options :
       {modelOptions(35, false), modelOptions(35, true), mirroredOptions(40, true)}) {
    SyntheticModel synthetic(options);
    const auto model = std::make_shared<const FaceModel>(synthetic.source());
    const auto scheme = std::make_shared<const LandmarkScheme>(*model, synthetic.landmarks(68));
    const Faces faces(*model, 300, true);  // and more than one block of faces
    for (const CpuKernels* kernels : cpuKernels()) {
      const Scope scope(kernels->name, ", half ", options.half, ", mirrored ", options.mirrored);
      CpuBackend one(*kernels, 1, 100), three(*kernels, 3, 100);
      const MirroredBasis* const mirrored = model->mirroredBasis();
      const std::vector<float> expected =
          mirrored ? decodeMirrored(*kernels, *mirrored, faces) : decodeAll(*kernels, model->decodeBasis(), faces);
      const Decoded a = decodeOn(one, Way::kQueued, model, nullptr, faces, false),
                    b = decodeOn(three, Way::kQueued, model, nullptr, faces, false),
                    c = decodeOn(three, Way::kNow, model, nullptr, faces, false);
      CHECK(a.vertices == expected);
      CHECK(b.vertices == expected);
      CHECK(c.vertices == expected);

      const Decoded lit = decodeOn(one, Way::kQueued, model, nullptr, faces, true),
                    lit3 = decodeOn(three, Way::kQueued, model, nullptr, faces, true),
                    litNow = decodeOn(one, Way::kNow, model, nullptr, faces, true);
      CHECK(lit.vertices == expected);
      CHECK(lit3.vertices == expected && lit3.normals == lit.normals);
      CHECK(litNow.vertices == expected && litNow.normals == lit.normals);
      std::vector<float> scratch(model->triangles().size()), normals(static_cast<size_t>(model->vertexCount()) * 3);
      const size_t last = normals.size() * (faces.count - 1);
      vertexNormals(*model, &expected[last], scratch.data(), normals.data());
      CHECK(std::equal(normals.begin(), normals.end(), lit.normals.begin() + static_cast<std::ptrdiff_t>(last)));

      const std::vector<float> points = decodeAll(*kernels, scheme->points, faces);
      CHECK(decodeOn(one, Way::kQueued, model, scheme, faces, false).vertices == points);
      CHECK(decodeOn(three, Way::kQueued, model, scheme, faces, false).vertices == points);
    }
  }
}

CASE(an_empty_batch_is_finished_at_once) {
  SyntheticModel synthetic(modelOptions(4, false));
  const auto model = std::make_shared<const FaceModel>(synthetic.source());
  CpuBackend backend(*cpuKernels().front(), 2, 1);
  CHECK(decodeOn(backend, Way::kQueued, model, nullptr, Faces(*model, 0, false), false).vertices.empty());
  CHECK(decodeOn(backend, Way::kNow, model, nullptr, Faces(*model, 0, false), false).vertices.empty());
}

int main(int argc, char** argv) {
  noteMissingKernels();
  return runCases(argc, argv);
}
