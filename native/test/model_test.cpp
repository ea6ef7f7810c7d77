// What a model and a landmark scheme refuse, and what they make of the numbers they take.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/FaceModel.h"
#include "core/Half.h"
#include "core/LandmarkBasis.h"
#include "core/Sphere.h"
#include "test/Check.h"
#include "test/SyntheticModel.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

SyntheticModelOptions smallOptions() {
  SyntheticModelOptions options;
  options.side = 6;
  options.tangent = 5;
  options.expressions = 3;
  return options;
}

// A small model that `spoil` has changed must be refused.
template <class Spoil>
void checkRefused(Spoil spoil, const SyntheticModelOptions& options = smallOptions()) {
  SyntheticModel model(options);
  spoil(model);
  CHECK_THROWS(INVALID_MODEL, FaceModel{model.source()});
}

}  // namespace

CASE(a_sound_model_is_taken_as_it_is) {
  for (const bool spherical : {true, false}) {
    for (const bool half : {true, false}) {
      SyntheticModelOptions options = smallOptions();
      options.spherical = spherical;
      options.half = half;
      SyntheticModel synthetic(options);
      const FaceModel model(synthetic.source());
      CHECK_EQUAL(model.vertexCount(), 36);
      CHECK_EQUAL(model.identityCount(), spherical ? 6 : 5);
      CHECK_EQUAL(model.tangentCount(), 5);
      CHECK_EQUAL(model.expressionCount(), 3);
      CHECK_EQUAL(model.decodeBasis().isHalf(), half);
      // The slack column of zeros is not carried along.
      CHECK_EQUAL(model.identityColumns().size(), size_t{5});
      CHECK_EQUAL(model.decodeBasis().columnCount, 8);
      CHECK_EQUAL(model.decodeBasis().panelCount, 3);
      CHECK(!model.hasSlack());
      CHECK(model.priorPrecision().empty());
      if (spherical) CHECK_NEAR(model.radius(), 1.3 * std::sqrt(5.0), 1e-6);
    }
  }
}

CASE(numbers_that_are_not_finite_are_refused) {
  for (const float bad : {kNaN, kInfinity, -kInfinity}) {
    const Scope scope(bad);
    for (const size_t i : {0, 50, 107}) {
      checkRefused([=](SyntheticModel& m) { m.mean()[i] = bad; });
      checkRefused([=](SyntheticModel& m) { m.identity()[5 * i] = bad; });
      checkRefused([=](SyntheticModel& m) { m.expression()[3 * i] = bad; });
    }
    checkRefused([=](SyntheticModel& m) { m.identity().back() = bad; });
    checkRefused([=](SyntheticModel& m) { m.expression().back() = bad; });
    checkRefused([=](SyntheticModel& m) { m.priorMean()[0] = bad; });
    checkRefused([=](SyntheticModel& m) { m.priorFactor().back() = bad; });
    checkRefused([=](SyntheticModel& m) { m.stddev()[1] = bad; });
  }
  checkRefused([](SyntheticModel& m) { m.bounds()[0] = kNaN; });
  checkRefused([](SyntheticModel& m) { m.bounds()[5] = kNaN; });
}

CASE(halves_that_are_not_finite_are_refused) {
  for (const int pattern : {0x7c00, 0xfc00, 0x7c01, 0x7e00, 0xffff}) {
    const uint16_t bad = static_cast<uint16_t>(pattern);
    SyntheticModelOptions options = smallOptions();
    options.half = true;
    SyntheticModel synthetic(options);
    FaceModelSource source = synthetic.source();
    std::vector<uint16_t> identity(source.identity.halves, source.identity.halves + 6 * 108);
    std::vector<uint16_t> expression(source.expression.halves, source.expression.halves + 3 * 108);
    source.identity.halves = identity.data();
    source.expression.halves = expression.data();
    CHECK_EQUAL(FaceModel{source}.vertexCount(), 36);
    identity[333] = bad;
    CHECK_THROWS(INVALID_MODEL, FaceModel{source});
    identity[333] = 0;
    expression[323] = bad;
    CHECK_THROWS(INVALID_MODEL, FaceModel{source});
  }
}

CASE(impossible_shapes_are_refused) {
  SyntheticModel synthetic(smallOptions());
  const FaceModelSource sound = synthetic.source();
  const auto refused = [&](auto change) {
    FaceModelSource source = sound;
    change(source);
    CHECK_THROWS(INVALID_MODEL, FaceModel{source});
  };
  refused([](FaceModelSource& s) { s.vertexCount = 0; });
  refused([](FaceModelSource& s) { s.vertexCount = -1; });
  refused([](FaceModelSource& s) { s.vertexCount = (1 << 24) + 1; });
  refused([](FaceModelSource& s) { s.identity.columns = 0; });
  refused([](FaceModelSource& s) { s.identity.columns = 1; });  // a sphere of no dimension
  refused([](FaceModelSource& s) { s.identity.columns = 4097; });
  refused([](FaceModelSource& s) { s.expression.columns = -1; });
  refused([](FaceModelSource& s) { s.expression.columns = 4097; });
}

CASE(triangles_out_of_range_are_refused) {
  for (const int32_t bad : {-1, 36, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    checkRefused([=](SyntheticModel& m) { m.triangles().front() = bad; });
    checkRefused([=](SyntheticModel& m) { m.triangles().back() = bad; });
  }
}

CASE(adjacency_lists_every_triangle_of_a_vertex) {
  SyntheticModel synthetic(smallOptions());
  const FaceModel model(synthetic.source());
  const std::vector<int32_t>& triangles = model.triangles();
  CHECK(triangles == synthetic.triangles());
  for (int v = 0; v < model.vertexCount(); ++v) {
    std::vector<int32_t> expected;
    for (size_t i = 0; i < triangles.size(); ++i)
      if (triangles[i] == v) expected.push_back(static_cast<int32_t>(i / 3));
    CHECK(std::vector<int32_t>(model.adjacency().begin() + model.adjacencyStart()[v],
                               model.adjacency().begin() + model.adjacencyStart()[v + 1]) == expected);
  }
}

CASE(expression_ranges_must_make_sense) {
  checkRefused([](SyntheticModel& m) { m.bounds()[0] = 1.5f; });  // above its upper bound
  checkRefused([](SyntheticModel& m) { m.bounds()[5] = -0.5f; });
  for (const float bad : {0.0f, -0.0f, -1.0f}) checkRefused([=](SyntheticModel& m) { m.stddev()[2] = bad; });
  SyntheticModel pinned(smallOptions());
  pinned.bounds()[1] = 0;
  CHECK_EQUAL(FaceModel{pinned.source()}.expressionCount(), 3);
}

CASE(impossible_priors_are_refused) {
  checkRefused([](SyntheticModel& m) { std::fill(m.priorMean().begin(), m.priorMean().end(), 0.0f); });
  checkRefused([](SyntheticModel& m) { m.priorMean().back() = 1.01f; });
  checkRefused([](SyntheticModel& m) { m.priorMean().front() = 0.1f; });
  checkRefused([](SyntheticModel& m) { m.priorMean().back() = 1e30f; });
  checkRefused([](SyntheticModel& m) { std::fill(m.priorFactor().begin(), m.priorFactor().end(), 0.0f); });
  // A direction of the tangent space without variance: one that stands on an axis, and one that does not.
  constexpr size_t k = 6;
  checkRefused([](SyntheticModel& m) { m.priorFactor()[2 * k + 2] = 0; });
  checkRefused([](SyntheticModel& m) {
    for (size_t j = 0; j < k; ++j) m.priorFactor()[3 * k + j] = m.priorFactor()[2 * k + j];
  });
  SyntheticModelOptions correlated = smallOptions();
  correlated.correlated = true;
  for (correlated.seed = 1; correlated.seed <= 50; ++correlated.seed)
    checkRefused(
        [](SyntheticModel& m) {
          for (size_t j = 0; j < k; ++j)
            m.priorFactor()[4 * k + j] = 0.3f * m.priorFactor()[1 * k + j] - 0.7f * m.priorFactor()[2 * k + j];
        },
        correlated);
  for (const float share : {-0.1f, 1.1f, NAN})
    checkRefused([share](SyntheticModel& m) {
      m.personShare().assign(k, 0.5f);
      m.personShare()[2] = share;
    });
  // Variance along the mean itself means nothing: it does not stand in for one that is missing.
  checkRefused([](SyntheticModel& m) {
    std::fill(m.priorFactor().begin(), m.priorFactor().end(), 0.0f);
    m.priorFactor().back() = 1;
  });
}

// The columns of the factor are a spread of tangent vectors whose covariance is the prior's: carried to the chart, sum
// v v^T = P^-1, whatever the coordinates of the file.
CASE(prior_precision_is_the_inverse_covariance_in_the_chart) {
  for (const bool turned : {false, true}) {
    for (const bool correlated : {false, true}) {
      const Scope scope("turned ", turned, ", correlated ", correlated);
      SyntheticModelOptions options = smallOptions();
      options.tangent = 9;
      options.turned = turned;
      options.correlated = correlated;
      SyntheticModel synthetic(options);
      const FaceModel model(synthetic.source());
      const int d = model.tangentCount(), k = d + 1;
      CHECK_EQUAL(model.priorPrecision().empty(), !correlated);
      const std::vector<float>&mean = synthetic.priorMean(), &factor = synthetic.priorFactor();
      std::vector<double> covariance(static_cast<size_t>(d) * d), base(mean.begin(), mean.end());
      for (int j = 0; j < k; ++j) {
        std::vector<double> tangent(k), latent(k), v(d);
        for (int i = 0; i < k; ++i)
          tangent[i] = 1e-3 * factor[static_cast<size_t>(i) * k + j];  // a small step stays off the far side
        sphereExp(base.data(), tangent.data(), 1, k, latent.data());
        model.tangentFromLatent(latent.data(), v.data());
        for (int a = 0; a < d; ++a)
          for (int b = 0; b < d; ++b) covariance[static_cast<size_t>(a) * d + b] += 1e6 * v[a] * v[b];
      }
      double trace = 0;
      for (int a = 0; a < d; ++a) {
        trace += covariance[static_cast<size_t>(a) * d + a];
        for (int b = 0; b < d; ++b) {
          double entry = correlated ? 0 : covariance[static_cast<size_t>(a) * d + b];
          for (int c = 0; correlated && c < d; ++c)
            entry +=
                model.priorPrecision()[static_cast<size_t>(a) * d + c] * covariance[static_cast<size_t>(c) * d + b];
          CHECK_NEAR(entry, a == b ? 1 : 0, 1e-3);
        }
      }
      CHECK_NEAR(trace, d, 1e-3 * d);  // unit variance on average, by the choice of the radius
    }
  }
}

CASE(impossible_landmarks_are_refused) {
  SyntheticModel synthetic(smallOptions());
  const FaceModel model(synthetic.source());
  const LandmarkSchemeSource sound = synthetic.landmarks(4);
  const std::vector<float> ones(4, 1.0f), zeros(12, 0.0f);
  const auto refused = [&](auto change) {
    std::vector<int32_t> indices(sound.indices, sound.indices + 12);
    std::vector<float> weights(sound.weights, sound.weights + 12), noise(ones), offsets(zeros);
    change(indices, weights, noise, offsets);
    LandmarkSchemeSource source;
    source.count = 4;
    source.indices = indices.data();
    source.weights = weights.data();
    source.noiseFactors = noise.data();
    source.offsets = offsets.data();
    CHECK_THROWS(INVALID_MODEL, LandmarkBasis(model, source));
  };
  using Ints = std::vector<int32_t>;
  using Floats = std::vector<float>;
  for (const int32_t bad : {-1, 36, std::numeric_limits<int32_t>::min()}) {
    refused([=](Ints& indices, Floats&, Floats&, Floats&) { indices[11] = bad; });
    // Also where the weight is zero: others may read the vertex all the same.
    refused([=](Ints& indices, Floats& weights, Floats&, Floats&) {
      indices[3] = bad;
      weights[3] = 0;
    });
  }
  for (const float bad : {kNaN, kInfinity}) {
    refused([=](Ints&, Floats& weights, Floats&, Floats&) { weights[7] = bad; });
    refused([=](Ints&, Floats&, Floats& noise, Floats&) { noise[3] = bad; });
    refused([=](Ints&, Floats&, Floats&, Floats& offsets) { offsets[10] = bad; });
  }
  for (const float bad : {0.0f, -1.0f}) refused([=](Ints&, Floats&, Floats& noise, Floats&) { noise[0] = bad; });
}

CASE(landmark_rows_are_barycentric_and_padded_with_zeros) {
  SyntheticModel synthetic(smallOptions());
  const FaceModel model(synthetic.source());
  LandmarkSchemeSource source = synthetic.landmarks(5);
  std::vector<float> weights(source.weights, source.weights + 15), offsets(15, 0.0f);
  std::fill(weights.begin() + 6, weights.begin() + 9, 0.0f);  // the model lacks the third
  offsets[3] = 7;
  source.weights = weights.data();
  source.offsets = offsets.data();
  const LandmarkBasis basis(model, source);
  CHECK(basis.present == (std::vector<int>{0, 1, 3, 4}));
  CHECK_EQUAL(basis.stride % 16, 0);
  CHECK_EQUAL(basis.expressionStart, 16);
  const size_t row = synthetic.mean().size();
  for (int l : basis.present) {
    for (size_t a = 0; a < 3; ++a) {
      const auto at = [&](const std::vector<float>& values, size_t column) {
        double sum = 0;
        for (int c = 0; c < 3; ++c)
          sum += weights[3 * l + c] * values[column * row + 3 * static_cast<size_t>(source.indices[3 * l + c]) + a];
        return sum;
      };
      CHECK_NEAR(basis.mean[3 * static_cast<size_t>(l) + a],
                 at(synthetic.mean(), 0) + offsets[3 * static_cast<size_t>(l) + a], 1e-5);
      const float* actual = basis.rows.data() + (3 * static_cast<size_t>(l) + a) * basis.stride;
      for (int c = 0; c < basis.stride; ++c) {
        double expected = 0;
        if (c < 5) expected = at(synthetic.identity(), c) / model.radius();
        if (c >= 16 && c < 19) expected = at(synthetic.expression(), c - 16);
        CHECK_NEAR(actual[c], expected, 1e-5);
      }
    }
  }
}

CASE(a_landmark_basis_gathers_its_nuisances) {
  for (const bool half : {false, true}) {
    SyntheticModelOptions options = smallOptions();
    options.withinIdentity = 2;
    options.correlatedNoise = 3;
    options.half = half;
    SyntheticModel synthetic(options);
    const FaceModel model(synthetic.source());
    CHECK_EQUAL(model.withinIdentityCount(), 2);
    // They are no part of decoding.
    CHECK_EQUAL(model.decodeBasis().columnCount, 8);
    LandmarkSchemeSource source = synthetic.landmarks(5);
    const LandmarkBasis basis(model, source);
    CHECK_EQUAL(basis.nuisanceCount, 5);
    CHECK_EQUAL(basis.nuisanceStart, 16);
    CHECK_EQUAL(basis.expressionStart, 32);
    const size_t row = synthetic.mean().size();
    for (size_t l = 0; l < 5; ++l) {
      for (size_t a = 0; a < 3; ++a) {
        const float* actual = basis.rows.data() + (3 * l + a) * static_cast<size_t>(basis.stride) + 16;
        for (size_t c = 0; c < 16; ++c) {
          double expected = 0;
          for (size_t corner = 0; c < 2 && corner < 3; ++corner)
            expected +=
                source.weights[3 * l + corner] *
                synthetic.withinIdentity()[c * row + 3 * static_cast<size_t>(source.indices[3 * l + corner]) + a];
          if (c >= 2 && c < 5) expected = synthetic.correlatedNoise()[((c - 2) * 5 + l) * 3 + a];
          CHECK_NEAR(actual[c], expected, 1e-5);
        }
      }
    }
  }
}

CASE(nuisances_that_are_not_finite_are_refused) {
  SyntheticModelOptions options = smallOptions();
  options.withinIdentity = 2;
  options.correlatedNoise = 1;
  for (const float bad : {kNaN, kInfinity}) {
    checkRefused([=](SyntheticModel& m) { m.withinIdentity()[100] = bad; }, options);
    SyntheticModel synthetic(options);
    const FaceModel model(synthetic.source());
    const LandmarkSchemeSource source = synthetic.landmarks(5);
    synthetic.correlatedNoise()[7] = bad;
    CHECK_THROWS(INVALID_MODEL, LandmarkBasis(model, source));
  }
}

CASE(every_half_is_the_float_it_stands_for) {
  for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
    const int exponent = pattern >> 10 & 31, fraction = pattern & 1023;
    const double sign = pattern >> 15 ? -1 : 1;
    const float actual = halfToFloat(static_cast<uint16_t>(pattern));
    if (exponent == 31 && fraction != 0) {
      CHECK(std::isnan(actual));
      continue;
    }
    const double expected = exponent == 31  ? sign * HUGE_VAL
                            : exponent == 0 ? sign * std::ldexp(fraction, -24)
                                            : sign * std::ldexp(1024 + fraction, exponent - 25);
    CHECK_EQUAL(static_cast<double>(actual), expected);
    CHECK_EQUAL(std::signbit(actual), pattern >> 15 != 0);
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
