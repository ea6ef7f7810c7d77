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
constexpr int kExpressionPairs = 22;  // each other's mirror images; the others are their own
constexpr int kMidline = 130;         // vertices that are their own mirror images

// Bit patterns of 16-bit floats of either sign between 2^-6 and 2^2: a few millimetres a unit.
inline std::vector<uint16_t> randomHalves(size_t count, test::Random& random) {
  std::vector<uint16_t> halves(count);
  for (uint16_t& half : halves) {
    const uint64_t bits = random.bits();
    half = static_cast<uint16_t>((bits & 0x83ffu) | (9 + (bits >> 32) % 8) << 10);
  }
  return halves;
}

// Number i of a column's mirror image: that of the other vertex, x with the other sign.
inline uint16_t mirrorHalf(const uint16_t* column, const std::vector<int32_t>& mirror, size_t i) {
  const uint16_t half = column[3 * static_cast<size_t>(mirror[i / 3]) + i % 3];
  return i % 3 == 0 && (half & 0x7fffu) != 0 ? static_cast<uint16_t>(half ^ 0x8000u) : half;
}

// Makes a column its own mirror image: the second of each pair of vertices takes after the first.
inline void symmetrise(uint16_t* column, const std::vector<int32_t>& mirror) {
  for (size_t i = 0; i < 3 * mirror.size(); ++i) {
    const size_t vertex = i / 3, other = static_cast<size_t>(mirror[vertex]);
    if (other == vertex && i % 3 == 0) column[i] = 0;
    if (other < vertex) column[i] = mirrorHalf(column, mirror, i);
  }
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
  std::vector<uint16_t> expression = randomHalves(row * kExpressions, random);
  std::vector<int32_t> mirror;
  for (int32_t i = 0; i < kVertices; ++i) mirror.push_back(i < kMidline ? i : i ^ 1);
  for (size_t c = 0; c < kLatents; ++c) symmetrise(&identity[row * c], mirror);
  for (size_t c = 0; c < kExpressions; ++c) {
    uint16_t* const column = &expression[row * c];
    if (c >= 2 * kExpressionPairs) symmetrise(column, mirror);
    for (size_t i = 0; c < 2 * kExpressionPairs && c % 2 && i < row; ++i)
      column[i] = mirrorHalf(column - row, mirror, i);
  }
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
  source.mirror = mirror.data();
  return std::make_shared<const FaceModel>(source);
}

}  // namespace sfm::bench
