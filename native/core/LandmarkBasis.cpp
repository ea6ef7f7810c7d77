#include "core/LandmarkBasis.h"

#include <cmath>
#include <string>

#include "core/Error.h"

namespace sfm {

namespace {

int roundUp(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

[[noreturn]] void invalid(int landmark, const char* what) {
  throw Error(ErrorCode::INVALID_MODEL, "landmark " + std::to_string(landmark) + ": " + what);
}

}  // namespace

LandmarkBasis::LandmarkBasis(const FaceModel& model, const LandmarkSchemeSource& source)
    : landmarkCount(source.count),
      tangentCount(model.tangentCount()),
      expressionCount(model.expressionCount()),
      nuisanceCount(model.withinIdentityCount() + source.correlatedNoiseCount),
      nuisanceStart(roundUp(model.tangentCount(), 16)),
      expressionStart(nuisanceStart + roundUp(nuisanceCount, 16)),
      stride(expressionStart + roundUp(model.expressionCount(), 16)),
      noiseFactors(source.count, 1.0f),
      mean(static_cast<size_t>(source.count) * 3),
      slack(static_cast<size_t>(source.count) * 3),
      rows(static_cast<size_t>(source.count) * 3 * stride) {
  const int within = model.withinIdentityCount();
  const int columns = tangentCount + 1 + expressionCount + within;
  std::vector<double> gathered(3 * static_cast<size_t>(columns));
  for (int i = 0; i < landmarkCount; ++i) {
    SurfacePoint point;
    bool any = false;
    for (int c = 0; c < 3; ++c) {
      point.vertices[c] = source.indices[3 * i + c];
      point.weights[c] = source.weights[3 * i + c];
      if (point.vertices[c] < 0 || point.vertices[c] >= model.vertexCount())
        invalid(i, "a vertex index is out of range");
      if (!std::isfinite(point.weights[c])) invalid(i, "a weight is not finite");
      any |= point.weights[c] != 0;
    }
    if (source.noiseFactors) {
      noiseFactors[i] = source.noiseFactors[i];
      if (!(noiseFactors[i] > 0) || !std::isfinite(noiseFactors[i])) invalid(i, "the noise factor is not positive");
    }
    if (!any) continue;
    present.push_back(i);
    double gatheredMean[3];
    model.gather(point, gatheredMean, gathered.data());
    for (int a = 0; a < 3; ++a) {
      const double offset = source.offsets ? source.offsets[3 * i + a] : 0;
      if (!std::isfinite(offset)) invalid(i, "the offset is not finite");
      mean[3 * static_cast<size_t>(i) + a] = static_cast<float>(gatheredMean[a] + offset);
      const double* from = &gathered[static_cast<size_t>(a) * columns];
      float* to = rows.data() + (3 * static_cast<size_t>(i) + a) * stride;
      for (int c = 0; c < tangentCount; ++c) to[c] = static_cast<float>(from[c]);
      slack[3 * static_cast<size_t>(i) + a] = static_cast<float>(from[tangentCount] * model.radius());
      for (int c = 0; c < expressionCount; ++c)
        to[expressionStart + c] = static_cast<float>(from[tangentCount + 1 + c]);
      for (int c = 0; c < within; ++c)
        to[nuisanceStart + c] = static_cast<float>(from[tangentCount + 1 + expressionCount + c]);
      for (int c = 0; c < source.correlatedNoiseCount; ++c) {
        const float value = source.correlatedNoise[(static_cast<size_t>(c) * landmarkCount + i) * 3 + a];
        if (!std::isfinite(value)) invalid(i, "the correlated noise is not finite");
        to[nuisanceStart + within + c] = value;
      }
    }
  }
}

}  // namespace sfm
