// A smooth face-sized model made from a seed, for tests and benchmarks that must not depend on a file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/FaceModel.h"
#include "core/Half.h"
#include "core/LandmarkBasis.h"
#include "test/Random.h"

namespace sfm::test {

struct SyntheticModelOptions {
  int side = 24;          // the mesh is a bumpy half-ellipsoid of side x side vertices
  int tangent = 20;       // D
  int expressions = 8;    // E
  bool spherical = true;
  bool slack = false;
  bool half = false;      // store the bases as 16-bit floats
  // Vertices are each other's mirror images. Identities in turn symmetric and antisymmetric, expressions each other's mirror
  // images two by two; of `general` columns each, the last, neither.
  bool mirrored = false;
  int general = 0;
  bool turned = false;  // the prior's mean stands anywhere on the sphere, not at the pole
  bool correlated = false;  // the tangent coordinates have a general covariance
  double radius = 0;  // 0: 1.3 sqrt(D)
  double depth = 1;  // below 1: a mask rather than a face
  float lowerBound = 0;  // of all expressions
  float upperBound = 1;
  float expressionMean = 0;  // of the prior, alternating in sign
  float personShare = 1;  // of every latent's variance; 1: the model does not say
  int withinIdentity = 0;  // Q
  int correlatedNoise = 0;  // q of every landmark scheme
  unsigned seed = 1;
};

class SyntheticModel {
 public:
  explicit SyntheticModel(const SyntheticModelOptions& options) : options_(options), random_(options.seed) {
    const int n = options.side * options.side, k = options.tangent + (options.spherical ? 1 : 0),
              e = options.expressions;
    const double r = options.spherical ? (options.radius > 0 ? options.radius : 1.3 * std::sqrt(options.tangent)) : 1;
    mean_.resize(3 * static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
      const double a = (i % options.side + 0.5) / options.side * 2 - 1,
                   b = (i / options.side + 0.5) / options.side * 2 - 1;
      const double x = 75 * a, y = 105 * b, depth = std::sqrt(std::max(0.05, 1 - 0.7 * a * a - 0.7 * b * b));
      place_.push_back(a);
      place_.push_back(b);
      mean_[3 * i] = static_cast<float>(x);
      mean_[3 * i + 1] = static_cast<float>(y);
      // A nose keeps the depth from being an ellipsoid's.
      mean_[3 * i + 2] =
          static_cast<float>(options.depth * (80 * depth - 40 + 22 * std::exp(-18 * (a * a + (b + 0.1) * (b + 0.1)))));
    }
    for (int c = 0; c < options.tangent; ++c) appendMode(identity_, r * 6 / std::sqrt(1.0 + c));
    if (options.personShare < 1) personShare_.assign(static_cast<size_t>(k), options.personShare);
    if (options.spherical) {
      if (options.slack)
        appendMode(identity_, r * 0.5);
      else
        identity_.resize(identity_.size() + 3 * static_cast<size_t>(n), 0.0f);
    }
    for (int c = 0; c < e; ++c) appendMode(expression_, 12.0 / (1 + 0.05 * c));
    for (int c = 0; c < e; ++c) {
      bounds_.insert(bounds_.end(), {options.lowerBound, options.upperBound});
      stddev_.push_back(0.3f);
      expressionMean_.push_back(c % 2 ? -options.expressionMean : options.expressionMean);
    }
    priorMean_.assign(k, 0.0f);
    priorMean_.back() = 1;
    priorFactor_.assign(static_cast<size_t>(k) * k, 0.0f);
    for (int i = 0; i + 1 < k; ++i) {
      priorFactor_[static_cast<size_t>(i) * k + i] =
          static_cast<float>((options.correlated ? 0.6 + 0.8 * i / k : 1) / r);
      for (int j = 0; options.correlated && j < i; ++j)
        priorFactor_[static_cast<size_t>(i) * k + j] =
            static_cast<float>(0.3 / std::sqrt(1.0 * k) * random_.normal() / r);
    }
    if (options.spherical && options.turned) turn();
    for (int y = 0; y + 1 < options.side; ++y) {
      for (int x = 0; x + 1 < options.side; ++x) {
        const int32_t i = y * options.side + x;
        triangles_.insert(triangles_.end(),
                          {i, i + 1, i + options.side, i + 1, i + options.side + 1, i + options.side});
      }
    }
    if (options.mirrored) mirrorColumns(options);
    if (options.half) {
      toHalf(identity_, identityHalves_);
      toHalf(expression_, expressionHalves_);
    }
    for (int c = 0; c < options.withinIdentity; ++c) appendMode(withinIdentity_, 3 / std::sqrt(1.0 + c));
    if (options.half) toHalf(withinIdentity_, withinIdentityHalves_);
  }

  FaceModelSource source() const {
    FaceModelSource s;
    s.vertexCount = options_.side * options_.side;
    s.mean = mean_.data();
    s.identity = {options_.half ? nullptr : identity_.data(), options_.half ? identityHalves_.data() : nullptr,
                  options_.tangent + (options_.spherical ? 1 : 0)};
    s.expression = {options_.half ? nullptr : expression_.data(), options_.half ? expressionHalves_.data() : nullptr,
                    options_.expressions};
    s.expressionBounds = bounds_.data();
    s.expressionStddev = stddev_.data();
    s.expressionMean = options_.expressionMean != 0 ? expressionMean_.data() : nullptr;
    s.priorMean = options_.spherical ? priorMean_.data() : nullptr;
    s.priorFactor = options_.spherical ? priorFactor_.data() : nullptr;
    s.withinIdentity = {options_.half ? nullptr : withinIdentity_.data(),
                        options_.half ? withinIdentityHalves_.data() : nullptr, options_.withinIdentity};
    s.triangles = triangles_.data();
    s.triangleCount = static_cast<int>(triangles_.size() / 3);
    s.personShare = personShare_.empty() ? nullptr : personShare_.data();
    s.mirror = mirror_.empty() ? nullptr : mirror_.data();
    return s;
  }

  // `count` landmarks spread over the mesh, each inside a triangle.
  LandmarkSchemeSource landmarks(int count) {
    indices_.clear();
    weights_.clear();
    const int triangleCount = static_cast<int>(triangles_.size() / 3);
    for (int i = 0; i < count; ++i) {
      const int t = static_cast<int>((static_cast<int64_t>(i) * 7919 + 13) % triangleCount);
      for (int c = 0; c < 3; ++c) indices_.push_back(triangles_[3 * static_cast<size_t>(t) + c]);
      weights_.insert(weights_.end(), {0.5f, 0.3f, 0.2f});
    }
    LandmarkSchemeSource s;
    s.count = count;
    s.indices = indices_.data();
    s.weights = weights_.data();
    noise_.clear();
    for (int i = 0; i < 3 * count * options_.correlatedNoise; ++i)
      noise_.push_back(static_cast<float>(0.5 * random_.normal()));
    s.correlatedNoiseCount = options_.correlatedNoise;
    s.correlatedNoise = noise_.data();
    return s;
  }

  std::vector<float>& mean() { return mean_; }
  std::vector<float>& identity() { return identity_; }
  std::vector<float>& expression() { return expression_; }
  std::vector<float>& withinIdentity() { return withinIdentity_; }
  std::vector<float>& correlatedNoise() { return noise_; }  // of the landmarks made last
  std::vector<float>& bounds() { return bounds_; }
  std::vector<float>& stddev() { return stddev_; }
  std::vector<float>& priorMean() { return priorMean_; }
  std::vector<float>& priorFactor() { return priorFactor_; }
  std::vector<int32_t>& triangles() { return triangles_; }
  std::vector<int32_t>& mirror() { return mirror_; }
  std::vector<float>& personShare() { return personShare_; }  // empty, unless a test fills it
  Random& random() { return random_; }

 private:
  // A smooth displacement field of about `size` mm: a few random waves over the face.
  void appendMode(std::vector<float>& to, double size) {
    double wave[3][3][4];
    for (auto& axis : wave)
      for (auto& w : axis) {
        w[0] = 3 * random_.normal();
        w[1] = 3 * random_.normal();
        w[2] = random_.uniform(0, 6.28);
        w[3] = random_.normal() / std::sqrt(3.0);
      }
    for (size_t i = 0; i < place_.size() / 2; ++i) {
      for (auto& axis : wave) {
        double value = 0;
        for (auto& w : axis) value += w[3] * std::sin(w[0] * place_[2 * i] + w[1] * place_[2 * i + 1] + w[2]);
        to.push_back(static_cast<float>(size * 0.4 * value));
      }
    }
  }

  void mirrorColumns(const SyntheticModelOptions& options) {
    const int32_t side = options.side;
    for (int32_t i = 0; i < side * side; ++i) mirror_.push_back(i / side * side + side - 1 - i % side);
    const size_t row = mean_.size();
    // What the mirror image of a column has at number i.
    const auto image = [&](const float* column, size_t i) {
      const float value = column[3 * static_cast<size_t>(mirror_[i / 3]) + i % 3];
      return i % 3 == 0 ? -value : value;
    };
    for (int c = 0; c < options.tangent - options.general; ++c) {
      float* const column = &identity_[row * c];
      const std::vector<float> from(column, column + row);
      for (size_t i = 0; i < row; ++i) column[i] = 0.5f * (from[i] + (c % 2 ? -1.0f : 1.0f) * image(from.data(), i));
    }
    for (int c = 1; c < options.expressions - options.general; c += 2)
      for (size_t i = 0; i < row; ++i) expression_[row * c + i] = image(&expression_[row * (c - 1)], i);
  }

  // The same model in other coordinates of the latent: z <- Q z, Q a random reflection.
  void turn() {
    const size_t k = priorMean_.size(), row = mean_.size();
    std::vector<double> w(k);
    double norm = 0;
    for (double& value : w) value = random_.normal();
    for (double value : w) norm += value * value;
    for (double& value : w) value /= std::sqrt(norm);
    const auto reflect = [&](float* first, size_t stride) {
      double along = 0;
      for (size_t i = 0; i < k; ++i) along += w[i] * static_cast<double>(first[i * stride]);
      for (size_t i = 0; i < k; ++i) first[i * stride] = static_cast<float>(first[i * stride] - 2 * along * w[i]);
    };
    for (size_t i = 0; i < row; ++i) reflect(&identity_[i], row);
    for (size_t j = 0; j < k; ++j) reflect(&priorFactor_[j], k);
    reflect(priorMean_.data(), 1);
  }

  // Truncates the values to what 16 bits hold.
  static void toHalf(std::vector<float>& values, std::vector<uint16_t>& halves) {
    for (float& value : values) {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      const uint32_t sign = (bits >> 16) & 0x8000u;
      const int exponent = static_cast<int>((bits >> 23) & 0xff) - 112;
      uint16_t half = static_cast<uint16_t>(sign);
      if (exponent > 0 && exponent < 31)
        half = static_cast<uint16_t>(sign | static_cast<uint32_t>(exponent) << 10 | ((bits >> 13) & 0x3ffu));
      halves.push_back(half);
      value = halfToFloat(half);
    }
  }

  SyntheticModelOptions options_;
  Random random_;
  std::vector<double> place_;
  std::vector<float> mean_, identity_, expression_, bounds_, expressionMean_, stddev_, priorMean_, priorFactor_,
      personShare_, withinIdentity_, noise_;
  std::vector<uint16_t> identityHalves_, expressionHalves_, withinIdentityHalves_;
  std::vector<int32_t> triangles_, indices_, mirror_;
  std::vector<float> weights_;
};

}  // namespace sfm::test
