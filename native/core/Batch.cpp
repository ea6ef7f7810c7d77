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
         2 * static_cast<size_t>(scheme->basis.landmarkCount) +
         (options.posterior ? packedTriangle(model->tangentCount()) + model->tangentCount() : 0);
}

size_t FitBatch::linearisationSize() const {
  const LandmarkBasis& basis = scheme->basis;
  const size_t rows = static_cast<size_t>(basis.landmarkCount) * dimensions();
  return static_cast<size_t>(basis.tangentCount) + basis.nuisanceCount +
         2 * static_cast<size_t>(basis.expressionCount) + basis.landmarkCount + rows * (3 + kPoseCapacity + 1 + 1);
}

FitLinearisation FitBatch::linearisation(int i) {
  const LandmarkBasis& basis = scheme->basis;
  const size_t landmarks = static_cast<size_t>(basis.landmarkCount), rows = landmarks * dimensions();
  double* next = linearisations.data() + static_cast<size_t>(i) * linearisationSize();
  const auto take = [&next](size_t count) {
    next += count;
    return next - count;
  };
  FitLinearisation to;
  to.identity = take(static_cast<size_t>(basis.tangentCount));
  to.nuisances = take(static_cast<size_t>(basis.nuisanceCount));
  to.expression = take(static_cast<size_t>(basis.expressionCount));
  to.bounds = take(static_cast<size_t>(basis.expressionCount));
  to.weights = take(landmarks);
  to.derivatives = take(3 * rows);
  to.pose = take(kPoseCapacity * rows);
  to.residuals = take(rows);
  to.bareResiduals = take(rows);
  return to;
}

void FitBatch::allocate() {
  records = AlignedBuffer<double>(static_cast<size_t>(count) * kRecordSize);
  // A solver writes all of a fit's arrays but the posterior, which not every fit has.
  const size_t size = static_cast<size_t>(count) * arraysPerFit();
  arrays = options.posterior ? AlignedBuffer<float>(size) : AlignedBuffer<float>::uninitialised(size);
  if (joint) {
    const size_t d = static_cast<size_t>(model->tangentCount());
    // The images of a joint fit keep theirs.
    if (!joint->pass || joint->pass->last)
      seeds = AlignedBuffer<double>(static_cast<size_t>(count) * seedSize(scheme->basis));
    if (!joint->pass || joint->pass->evidence)
      evidence = AlignedBuffer<double>(static_cast<size_t>(count) * (packedTriangle(model->tangentCount()) + d));
  }
  if (linearise) linearisations = AlignedBuffer<double>(static_cast<size_t>(count) * linearisationSize());
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
  if (joint) {
    problem.draft = joint->draft;
    problem.sizeFree = joint->sizeFree;
    if (!joint->seeds.empty()) {
      const double* seed = &joint->seeds[at * seedSize(scheme->basis)];
      // Where the fit before failed there is nothing to go on from.
      if (!isnan(seed[kSeedNoise])) problem.seed = seed;
    }
  }
  return problem;
}

FitSolution FitBatch::solution(int i) {
  FitSolution solution;
  solution.identity = arrays.data() + static_cast<size_t>(i) * arraysPerFit();
  solution.embedding = solution.identity + model->identityCount();
  solution.expression = solution.embedding + model->tangentCount();
  solution.residuals = solution.expression + model->expressionCount();
  solution.robustWeights = solution.residuals + scheme->basis.landmarkCount;
  if (joint) {
    const size_t triangle = packedTriangle(model->tangentCount()), d = static_cast<size_t>(model->tangentCount());
    if (seeds.size() > 0) solution.seed = seeds.data() + static_cast<size_t>(i) * seedSize(scheme->basis);
    if (evidence.size() > 0) {
      solution.information = evidence.data() + static_cast<size_t>(i) * (triangle + d);
      solution.gradient = solution.information + triangle;
    }
  }
  return solution;
}

void FitBatch::store(int i, const FitSolution& s) {
  if (options.posterior && s.failure == FitFailure::kNone) {
    const size_t triangle = packedTriangle(model->tangentCount());
    float* to = s.robustWeights + scheme->basis.landmarkCount;
    for (size_t c = 0; c < triangle; ++c) to[c] = static_cast<float>(s.information[c]);
    for (int c = 0; c < model->tangentCount(); ++c) to[triangle + c] = static_cast<float>(s.shift[c]);
  }
  writeRecord(s, records.data() + static_cast<size_t>(i) * kRecordSize);
}

}  // namespace sfm
