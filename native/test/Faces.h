// Faces to decode, drawn from a model.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/FaceModel.h"
#include "core/MirroredBasis.h"
#include "core/Rotation.h"
#include "cpu/CpuKernels.h"
#include "test/Random.h"

namespace sfm::test {

// Faces drawn from a model, with poses a metre away.
struct Faces {
  Faces(const FaceModel& model, int faceCount, bool posed)
      : count(faceCount), columns(model.decodeBasis().columnCount) {
    std::vector<double> tangent(model.tangentCount()), latent(model.identityCount()), direction(model.tangentCount());
    std::vector<float> identity(model.identityCount()), expression(model.expressionCount());
    for (int i = 0; i < count; ++i) {
      for (double& value : tangent) value = draw();
      model.latentFromTangent(tangent.data(), latent.data(), direction.data());
      for (size_t k = 0; k < latent.size(); ++k) identity[k] = static_cast<float>(latent[k]);
      for (float& value : expression) value = std::min(1.0f, std::fabs(draw()) * 0.4f);
      coefficients.resize(coefficients.size() + columns);
      model.decodeCoefficients(identity.data(), expression.data(),
                               coefficients.data() + static_cast<size_t>(i) * columns);
    }
    for (int i = 0; posed && i < count; ++i) {
      double rotation[9];
      const double omega[3] = {draw(), draw(), draw()};
      rotationExp(omega, rotation);
      for (double value : rotation) poses.push_back(static_cast<float>(value));
      poses.insert(poses.end(), {50 * draw(), 50 * draw(), 1000 + 100 * draw()});
    }
  }

  DecodeFaces view(float* vertices) const {
    return {coefficients.data(), poses.empty() ? nullptr : poses.data(), vertices};
  }

  // Those of the rows of a basis for both sides at once, as the backend makes them.
  std::vector<float> rowCoefficients(const MirroredBasis& basis) const {
    std::vector<float> rows(static_cast<size_t>(count) * basis.rowCount());
    for (int i = 0; i < count; ++i)
      basis.coefficients(&coefficients[static_cast<size_t>(i) * columns],
                         &rows[static_cast<size_t>(i) * basis.rowCount()]);
    return rows;
  }

  int count, columns;
  std::vector<float> coefficients, poses;

 private:
  // One sequence for a whole test.
  static float draw() {
    static Random generator(17);
    return static_cast<float>(generator.normal());
  }
};

}  // namespace sfm::test
