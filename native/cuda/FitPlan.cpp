#include "cuda/FitPlan.h"

#include <algorithm>

#include "cuda/Layout.h"

namespace sfm::cuda {

FitPlan planFit(const DeviceFitModel& model, const FitOptions& options, int count, int blocks) {
  FitPlan plan = {};
  FitColumns& columns = plan.columns;
  columns.identities = model.tangentCount;
  columns.nuisances = options.nuisances ? model.nuisanceCount : 0;
  columns.pose = roundUpTo(columns.identities + columns.nuisances, 4);
  columns.expression = columns.pose + kPoseCapacity;
  columns.expressions = model.expressionCount;
  columns.count = columns.expression + columns.expressions;
  plan.threads = fitsSmallBlock(columns) ? kSmallBlock : kLargeBlock;
  plan.landmarks = model.presentCount;
  plan.landmarkStride = roundUpTo(model.presentCount, 32);
  // As far as the rows of systems of fewer unknowns reach as well.
  for (const Unknowns unknowns : {Unknowns::kAll, Unknowns::kCoarse, Unknowns::kPose}) {
    const FitSystem system = systemOf(unknowns, columns);
    plan.basisStride = std::max(plan.basisStride, system.skipped + residualColumn(system.count));
  }

  const int d = columns.identities, others = columns.count - d, tiles = tilesOf(columns.count);
  const auto panels = [](int eliminated) { return (eliminated + kTile - 1) / kTile; };
  plan.rowFloats = std::max({panelStart(tiles, panels(columns.expression)), panelStart(tiles, panels(others)),
                             triangleSize(d + 1) + 3 * d, 6 * kTile * tiles});
  plan.rowFloats = roundUpTo(plan.rowFloats, 4);
  int floats = plan.rowFloats;
  const auto add = [&floats](int size) {
    const int at = floats;
    floats += roundUpTo(size, 4);
    return at;
  };
  plan.triangle = add(triangleSize(columns.expressions + 1));
  plan.latents = add(2 * plan.basisStride);
  plan.step = add(columns.count);
  plan.gradient = add(columns.count);
  plan.diagonal = add(columns.count);
  plan.box = add(boxFloats(columns.expressions));
  plan.sharedFloats = floats;

  const size_t landmarks = static_cast<size_t>(plan.landmarkStride), side = static_cast<size_t>(kTile * tiles);
  Layout slab;
  for (size_t& evaluation : plan.evaluation) evaluation = slab.add<double>(landmarks * 7 + (landmarks * 3 + 1) / 2);
  plan.observed = slab.add<double>(landmarks * 3);
  plan.inverseVariance = slab.add<double>(landmarks);
  plan.active = slab.add<int>(landmarks);
  plan.derivatives = slab.add<LandmarkDerivative>(landmarks);
  plan.slopes = slab.add<float>(landmarks * 3);
  for (size_t& pull : plan.pull) pull = slab.add<double>(static_cast<size_t>(d));
  plan.rowTable = slab.add<float>(landmarks * 3 * kRowTable);
  plan.normal = slab.add<float>(side * side);
  plan.slab = slab.bytes();

  Layout workspace;
  plan.rowBasis = workspace.add<float>(static_cast<size_t>(plan.landmarks) * 3 * plan.basisStride);
  plan.columnBasis = workspace.add<float>(static_cast<size_t>(columns.count) * 3 * landmarks);
  plan.mean = workspace.add<float>(3 * landmarks);
  plan.slack = workspace.add<float>(3 * landmarks);
  plan.precision = workspace.add<double>(landmarks);
  plan.counter = workspace.add<int>(1);
  plan.starts = workspace.add<StartRecord>(static_cast<size_t>(count));
  plan.slabs = workspace.add<char>(static_cast<size_t>(blocks) * plan.slab);
  plan.workspaceBytes = workspace.bytes();
  return plan;
}

}  // namespace sfm::cuda
