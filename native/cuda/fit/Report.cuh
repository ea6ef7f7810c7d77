// What a fit on a block reports.
#pragma once

#include "core/FitRecord.h"
#include "cuda/fit/Step.cuh"

namespace sfm::cuda {

// The standard deviation of the identity's place on the sphere, in radians (see cpu/FitSolver.h), from what is left of
// the last linearisation when all but v are eliminated. Stays NaN where that cannot be inverted.
template <class Block>
__device__ __noinline__ void findUncertainty() {
  const int d = Block::columns().identities, thread = Block::thread();
  float* information = Block::rows();
  float* room = information + triangleSize(d + 1);
  int* swept = reinterpret_cast<int*>(room + 2 * d);
  for (int i = thread; i < d; i += Block::kThreads) swept[i] = 0;
  if (!sweep<Block::kThreads, kIdentityNumbers>({information, d, d, nullptr, swept, room})) return;
  double sums[1] = {0};
  for (int i = thread; i < d; i += Block::kThreads) sums[0] -= static_cast<double>(information[packed(i, i)]);
  Block::sumOnce(sums, [&](const double* trace) {
    const double inverseRadius = Block::model().inverseRadius;
    // A flat (Gaussian) model has no radius; its latents' typical length stands in.
    Block::memory().solution.uncertainty =
        sqrt(trace[0]) * (inverseRadius > 0 ? inverseRadius : 1 / sqrt(static_cast<double>(d)));
  });
}

// Drops the nuisances, so that pose, camera and expressions may settle anew with the identity held (see
// cpu/FitSolver.h).
template <class Block>
__device__ __noinline__ void dropNuisances() {
  auto& memory = Block::memory();
  const FitColumns& columns = Block::columns();
  if (columns.nuisances == 0 || memory.solution.failure != FitFailure::kNone) return;
  const int from = memory.current, to = 1 - from;
  for (int c = Block::thread(); c < columns.count; c += Block::kThreads)
    Block::latents(to)[c] = c < columns.identities || c >= columns.pose ? Block::latents(from)[c] : 0;
  Block::once([&] {
    memory.states[to].pose = memory.states[from].pose;
    memory.current = to;
  });
}

// Where a problem's arrays go.
struct ReportArrays {
  float* identity;
  float* embedding;
  float* expression;
  float* residuals;
  float* weights;
  float* information;  // where there is a posterior: [D(D+1)/2], and
  float* shift;  // [D] after it

  __device__ ReportArrays(const FitTask& task, int problem) {
    const DeviceFitModel& model = task.model;
    const long long size = reportedSize(model, task.batch.options);
    identity = task.batch.arrays + problem * size;
    embedding = identity + model.identityCount;
    expression = embedding + model.tangentCount;
    residuals = expression + model.expressionCount;
    weights = residuals + model.landmarkCount;
    information = weights + model.landmarkCount;
    shift = information + triangleSize(model.tangentCount);
  }
};

// For the posterior, from what is left when all but v are eliminated: the information on v, and v.
template <class Block>
__device__ __noinline__ void reportInformation() {
  const auto& memory = Block::memory();
  const ReportArrays to(Block::task(), memory.problem);
  const int d = Block::columns().identities;
  for (int i = Block::thread(); i < triangleSize(d); i += Block::kThreads) to.information[i] = Block::rows()[i];
  for (int i = Block::thread(); i < d; i += Block::kThreads) to.shift[i] = Block::latents(memory.current)[i];
}

// Where there is none.
template <class Block>
__device__ __forceinline__ void reportNoInformation(const ReportArrays& to) {
  const int d = Block::columns().identities;
  for (int i = Block::thread(); i < triangleSize(d) + d; i += Block::kThreads) to.information[i] = 0;
}

// The weights are the likelihood's; all else is of the face that is reported, without its nuisances.
template <class Block>
__device__ __noinline__ void reportWeights() {
  const auto& memory = Block::memory();
  const ReportArrays to(Block::task(), memory.problem);
  const DeviceFitModel& model = Block::model();
  for (int i = Block::thread(); i < 2 * model.landmarkCount; i += Block::kThreads) to.residuals[i] = NAN;
  __syncthreads();
  if (memory.solution.failure != FitFailure::kNone) {
    if (Block::options().posterior) reportNoInformation<Block>(to);
    return;
  }
  const RobustLoss loss = Block::options().loss;
  const double nu = Block::options().degreesOfFreedom, full = robustWeight(loss, nu, Block::kDimensions, 0);
  const double* squared = Block::evaluation(memory.current).squared;
  for (int i = Block::thread(); i < memory.activeCount; i += Block::kThreads)
    to.weights[model.present[Block::active()[i]]] =
        static_cast<float>(robustWeight(loss, nu, Block::kDimensions, squared[i]) / full);
}

// As FaceModel::latentFromTangent does.
template <class Block>
__device__ __noinline__ void reportLatents() {
  auto& memory = Block::memory();
  const ReportArrays to(Block::task(), memory.problem);
  const DeviceFitModel& model = Block::model();
  const FitColumns& columns = Block::columns();
  const int d = columns.identities, i = Block::thread();
  const float* x = Block::latents(memory.current);
  const double norm = memory.states[memory.current].norm;
  for (int e = i; e < columns.expressions; e += Block::kThreads) to.expression[e] = x[columns.expression + e];
  double latent = i < d ? static_cast<double>(x[i]) : 0;
  if (i < d) to.embedding[i] = static_cast<float>(norm > 0 ? latent / norm : 0);
  if (model.spherical) {
    const ChartScalars chart = chartScalars(norm * model.inverseRadius);
    latent = i < d ? latent * chart.sinc / model.radius : chart.cosine;
    if (model.reflector) {
      const double along = i <= d ? model.reflector[i] : 0;
      double sums[1] = {along * latent};
      Block::sumOnce(sums, [&](const double* sum) { memory.cost = 2 * sum[0]; });
      latent -= memory.cost * along;
    }
  }
  if (i < model.identityCount) to.identity[i] = static_cast<float>(latent);
}

template <class Block>
__device__ __noinline__ void reportRecord() {
  auto& memory = Block::memory();
  const FitTask& task = Block::task();
  const ReportArrays to(task, memory.problem);
  const bool found = memory.solution.failure == FitFailure::kNone;
  double sums[1] = {0};
  if (found) {
    for (int i = Block::thread(); i < memory.activeCount; i += Block::kThreads) {
      double r[3];
      Block::gatherResidual(memory.current, i, r);
      const double square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
      sums[0] += square;
      to.residuals[task.model.present[Block::active()[i]]] = static_cast<float>(sqrt(square));
    }
  }
  Block::sumOnce(sums, [&](const double* sum) {
    FitSolution& solution = memory.solution;
    reportPose(Block::kImage, memory.states[memory.current].pose, &solution);
    if (found) {
      solution.rmse = sqrt(sum[0] / memory.activeCount);
      solution.usable = isUsable(solution);
    } else {
      solution.status = FitStatus::kFailed;
    }
    writeRecord(solution, task.batch.records + static_cast<long long>(memory.problem) * kRecordSize);
  });
}

}  // namespace sfm::cuda
