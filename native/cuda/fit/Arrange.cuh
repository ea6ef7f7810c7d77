// The basis as the fit reads it: twice, by landmark for the Jacobian's rows and by column for the predictions, in the
// order of the fit's unknowns and without the landmarks that the model lacks.
#pragma once

#include "cuda/fit/Task.cuh"

namespace sfm::cuda {

// The column of a row of the model (core/LandmarkBasis.h) that belongs to an unknown; negative: none.
__device__ inline int basisColumn(const DeviceFitModel& model, const FitColumns& columns, int unknown) {
  if (unknown < columns.identities) return unknown;
  if (unknown < columns.identities + columns.nuisances) return model.nuisanceStart + unknown - columns.identities;
  const int expression = unknown - columns.expression;
  return expression >= 0 && expression < columns.expressions ? model.expressionStart + expression : -1;
}

__global__ void arrangeFitBasis(const SFM_GRID_CONSTANT FitTask task) {
  const FitPlan& plan = task.plan;
  const int stride = plan.basisStride, rows = 3 * plan.landmarks;
  const int threads = static_cast<int>(gridDim.x * blockDim.x);
  for (int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); at < rows * stride; at += threads) {
    const int row = at / stride, unknown = at - row * stride, i = row / 3, axis = row - 3 * i;
    const int landmark = task.model.present[i], column = basisColumn(task.model, plan.columns, unknown);
    const float* from = task.model.rows + (3LL * landmark + axis) * task.model.stride;
    const float value = column < 0 ? 0 : from[column];
    task.rowBasis[at] = value;
    if (unknown < plan.columns.count) task.columnBasis[(3 * unknown + axis) * plan.landmarkStride + i] = value;
    if (unknown > 0) continue;
    task.mean[axis * plan.landmarkStride + i] = task.model.mean[3LL * landmark + axis];
    task.slack[axis * plan.landmarkStride + i] = task.model.slack[3LL * landmark + axis];
    const double factor = static_cast<double>(task.model.noiseFactors[landmark]);
    if (axis == 0) task.precision[i] = 1 / (factor * factor);
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *task.counter = 0;
}

}  // namespace sfm::cuda
