#include "core/Batch.h"

namespace sfm {

namespace {

std::vector<SurfacePoint> surfacePoints(const LandmarkSchemeSource& source) {
  std::vector<SurfacePoint> points(static_cast<size_t>(source.count));
  for (size_t i = 0; i < points.size(); ++i)
    for (size_t c = 0; c < 3; ++c) {
      points[i].vertices[c] = source.indices[3 * i + c];
      points[i].weights[c] = source.weights[3 * i + c];
    }
  return points;
}

}  // namespace

// The basis comes first: it checks the indices that the points then follow.
LandmarkScheme::LandmarkScheme(const FaceModel& model, const LandmarkSchemeSource& source)
    : basis(model, source), points(model.gatherDecodeBasis(surfacePoints(source))) {}

size_t FitBatch::arraysPerFit() const {
  return static_cast<size_t>(model->identityCount()) + model->tangentCount() + model->expressionCount() +
         2 * static_cast<size_t>(scheme->basis.landmarkCount);
}

void FitBatch::allocate() {
  records = AlignedBuffer<double>(static_cast<size_t>(count) * kRecordSize);
  arrays = AlignedBuffer<float>(static_cast<size_t>(count) * arraysPerFit());
}

FitProblem FitBatch::problem(int i) const {
  const size_t landmarks = static_cast<size_t>(scheme->basis.landmarkCount), at = static_cast<size_t>(i);
  const double* camera = &cameras[at * kCameraSize];
  FitProblem problem;
  problem.points = &points[at * landmarks * dimensions()];
  problem.confidence = confidence.empty() ? nullptr : &confidence[at * landmarks];
  problem.focal = camera[0];
  problem.principal[0] = camera[1];
  problem.principal[1] = camera[2];
  problem.imageSize = camera[3];
  problem.noise = camera[4];
  return problem;
}

FitSolution FitBatch::solution(int i) {
  FitSolution solution;
  solution.identity = arrays.data() + static_cast<size_t>(i) * arraysPerFit();
  solution.embedding = solution.identity + model->identityCount();
  solution.expression = solution.embedding + model->tangentCount();
  solution.residuals = solution.expression + model->expressionCount();
  solution.robustWeights = solution.residuals + scheme->basis.landmarkCount;
  return solution;
}

void FitBatch::store(int i, const FitSolution& s) {
  double* record = records.data() + static_cast<size_t>(i) * kRecordSize;
  record[kRecordStatus] = static_cast<double>(s.status);
  record[kRecordFailure] = static_cast<double>(s.failure);
  record[kRecordUsable] = s.usable ? 1 : 0;
  record[kRecordIterations] = s.iterations;
  record[kRecordInitialCost] = s.initialCost;
  record[kRecordFinalCost] = s.finalCost;
  record[kRecordRmse] = s.rmse;
  record[kRecordUncertainty] = s.uncertainty;
  for (int c = 0; c < 9; ++c) record[kRecordRotation + c] = s.rotation[c];
  for (int c = 0; c < 3; ++c) record[kRecordTranslation + c] = s.translation[c];
  record[kRecordFocal] = s.focal;
  record[kRecordScale] = s.scale;
  for (int c = 0; c < 2; ++c) record[kRecordPrincipal + c] = s.principal[c];
}

}  // namespace sfm
