// A model of the default model's sizes, with numbers from a seed: what a benchmark reads does not depend on a file.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/FaceModel.h"
#include "test/Random.h"

namespace sfm::bench {

constexpr int kVertices = 8780;
constexpr int kLatents = 75;  // and the pole's, which is zero
constexpr int kExpressions = 53;

// Bit patterns of 16-bit floats of either sign between 2^-6 and 2^2: a few millimetres a unit.
inline std::vector<uint16_t> randomHalves(size_t count, test::Random& random) {
  std::vector<uint16_t> halves(count);
  for (uint16_t& half : halves) {
    const uint64_t bits = random.bits();
    half = static_cast<uint16_t>((bits & 0x83ffu) | (9 + (bits >> 32) % 8) << 10);
  }
  return halves;
}

inline std::shared_ptr<const FaceModel> defaultSizeModel() {
  test::Random random(1);
  const size_t row = 3 * static_cast<size_t>(kVertices);
  std::vector<float> mean(row), bounds, stddev(kExpressions, 0.3f), priorMean(kLatents + 1), factor;
  for (float& value : mean) value = static_cast<float>(random.uniform(-100, 100));
  for (int i = 0; i < kExpressions; ++i) bounds.insert(bounds.end(), {0.0f, 1.0f});
  priorMean.back() = 1;
  factor.assign(priorMean.size() * priorMean.size(), 0.0f);
  for (size_t i = 0; i + 1 < priorMean.size(); ++i) factor[i * priorMean.size() + i] = 0.1f;
  std::vector<uint16_t> identity = randomHalves(row * kLatents, random);
  identity.resize(row * (kLatents + 1));
  const std::vector<uint16_t> expression = randomHalves(row * kExpressions, random);
  std::vector<int32_t> triangles;
  for (int32_t i = 0; i + 2 < kVertices; ++i)
    for (int corner = 0; corner < 2; ++corner) triangles.insert(triangles.end(), {i, i + 1 + corner, i + 2 - corner});
  FaceModelSource source;
  source.vertexCount = kVertices;
  source.mean = mean.data();
  source.identity = {nullptr, identity.data(), kLatents + 1};
  source.expression = {nullptr, expression.data(), kExpressions};
  source.expressionBounds = bounds.data();
  source.expressionStddev = stddev.data();
  source.priorMean = priorMean.data();
  source.priorFactor = factor.data();
  source.triangles = triangles.data();
  source.triangleCount = static_cast<int>(triangles.size() / 3);
  return std::make_shared<const FaceModel>(source);
}

}  // namespace sfm::bench
