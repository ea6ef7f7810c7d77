// The normal equations of a fit on a block, in the registers of its threads.
#pragma once

#include "cuda/fit/Block.cuh"
#include "cuda/fit/Tiles.cuh"
#include "cuda/fit/Triangle.cuh"

namespace sfm::cuda {

// How the landmarks enter the normal equations of the current state.
template <class Block>
__device__ __noinline__ void differentiateLandmarks() {
  const auto& memory = Block::memory();
  const DeviceEvaluation at = Block::evaluation(memory.current);
  const DeviceState& state = memory.states[memory.current];
  for (int i = Block::thread(); i < memory.activeCount; i += Block::kThreads) {
    double turned[3], residual[3];
    Block::gather(at.turned, i, turned);
    Block::gatherResidual(memory.current, i, residual);
    differentiateLandmark(Block::kImage, memory.descent.objective, Block::options().degreesOfFreedom, state.pose,
                          state.sight, turned, residual, at.squared[i], Block::inverseVariance()[i],
                          Block::derivatives() + i);
  }
}

// What each row of the Jacobian is made of: the derivative by the landmark's point (3), the factor of v in the
// identity's columns (1), the pose's columns (7), the residual (1).
template <class Block>
__device__ __noinline__ void fillRowTable() {
  const auto& memory = Block::memory();
  const DeviceEvaluation at = Block::evaluation(memory.current);
  const DeviceState& state = memory.states[memory.current];
  const double inverseRadius = Block::model().inverseRadius;
  const int stride = Block::plan().landmarkStride;
#pragma unroll 1
  for (int row = Block::thread(); row < Block::kDimensions * memory.activeCount; row += Block::kThreads) {
    const int i = row / Block::kDimensions, a = row - i * Block::kDimensions;
    double turned[3];
    Block::gather(at.turned, i, turned);
    const LandmarkRow from = landmarkRow(Block::kImage, Block::derivatives()[i], a, state.pose.rotation, turned,
                                         at.residual[a * stride + i]);
    const double* g = from.shape;
    const double* pose = from.pose;
    const double focal = memory.start.freedom.estimateFocal ? pose[6] : 0;
    float* to = Block::rowTable() + row * kRowTable;
    store4(to + 4, static_cast<float>(pose[0]), static_cast<float>(pose[1]), static_cast<float>(pose[2]),
           static_cast<float>(pose[3]));
    store4(to + 8, static_cast<float>(pose[4]), static_cast<float>(pose[5]), static_cast<float>(focal),
           static_cast<float>(from.residual));
    float identityPart[3], slack[3];
    for (int c = 0; c < 3; ++c) {
      identityPart[c] = at.identityPart[c * stride + i];
      slack[c] = Block::task().slack[c * stride + Block::active()[i]];
    }
    const double radial =
        inverseRadius > 0 ? radialDerivative(g, state.chart, identityPart, slack, inverseRadius) * inverseRadius : 0;
    store4(to, static_cast<float>(g[0]), static_cast<float>(g[1]), static_cast<float>(g[2]),
           static_cast<float>(radial));
  }
}

template <class Block>
__device__ __forceinline__ bool isAtBound(int expression, float value) {
  const float* bounds = Block::model().expressionBounds + 2 * expression;
  return Block::options().boundExpression && (value <= bounds[0] || value >= bounds[1]);
}

// The precision of what is known: so high that eliminating it takes nothing from the others that single precision sees.
// Expressions at their bounds are, where the information on the identity is asked for.
constexpr double kKnown = 1e20;

// The prior's part of what an unknown has on the diagonal and in the gradient.
struct PriorSlope {
  double precision, slope;
};

template <class Block>
__device__ __forceinline__ PriorSlope priorSlope(int unknown) {
  const auto& memory = Block::memory();
  const FitColumns& columns = Block::columns();
  const DeviceFitModel& model = Block::model();
  const FitOptions& options = Block::options();
  const float* x = Block::latents(memory.current);
  const double value = static_cast<double>(x[unknown]);
  if (unknown < columns.identities) {
    const double pull = model.priorPrecision ? Block::pull(memory.current)[unknown] : value;
    return {model.priorPrecision ? 0 : options.identityPrior, options.identityPrior * pull};
  }
  if (unknown >= columns.expression) {
    const int e = unknown - columns.expression;
    const double stddev = static_cast<double>(model.expressionStddev[e]);
    const bool known = memory.stage == Stage::kRelinearised && isAtBound<Block>(e, x[unknown]);
    const double precision = known ? kKnown : options.expressionPrior / (stddev * stddev);
    return {precision, precision * (value - static_cast<double>(model.expressionMean[e]))};
  }
  if (unknown < columns.pose) return {1, value};
  const PoseFreedom& freedom = memory.start.freedom;
  if (unknown < columns.pose + kPoseCapacity - 1) return {0, 0};
  // A focal length that is not estimated has no row but this one.
  if (!freedom.estimateFocal) return {1, 0};
  const double precision = 1 / (options.focalStddev * options.focalStddev);
  return {precision, precision * (memory.states[memory.current].pose.camera.logFocal - freedom.focalPrior)};
}

// The prior's part of the diagonal and of the gradient, in the system's columns; of a further step, the gradient's alone.
template <class Block>
__device__ __noinline__ void fillPrior() {
  const FitSystem system = Block::system();
  for (int c = Block::thread(); c < system.count; c += Block::kThreads) {
    const PriorSlope prior = priorSlope<Block>(system.unknown(c));
    if (Block::memory().furtherSteps == 0) Block::diagonal()[c] = static_cast<float>(prior.precision);
    Block::gradient()[c] = static_cast<float>(prior.slope);
  }
}

// Active landmarks whose rows of the Jacobian are in shared memory at a time: about as many each time.
template <class Block>
__device__ __forceinline__ int landmarksAtOnce() {
  const int width = kTile * tilesOf(Block::system().count), active = Block::memory().activeCount;
  const int most = Block::plan().rowFloats / (width * Block::kDimensions);
  const int chunks = (active + most - 1) / most;
  return (active + chunks - 1) / chunks;
}

// Rows of the Jacobian of at most `chunk` active landmarks from `firstLandmark` on, in the system's columns.
template <class Block>
__device__ __forceinline__ void fillRows(int firstLandmark, int chunk) {
  const FitSystem system = Block::system();
  const int left = Block::memory().activeCount - firstLandmark, count = left < chunk ? left : chunk;
  const FitColumns& columns = Block::columns();
  const int width = kTile * tilesOf(system.count), groups = width / 4, residual = residualColumn(system.count);
  const int axis = Block::plan().basisStride;
  const float* x = Block::latents(Block::memory().current);
  const float sinc = static_cast<float>(Block::memory().states[Block::memory().current].chart.sinc);
  const float* __restrict__ rowBasis = Block::task().rowBasis;
  for (int item = Block::thread(); item < count * groups; item += Block::kThreads) {
    const int landmark = item / groups, at = 4 * (item - landmark * groups), column = system.unknown(at);
    const float* table = Block::rowTable() + (firstLandmark + landmark) * Block::kDimensions * kRowTable;
    float* to = Block::rows() + landmark * Block::kDimensions * width + slot(at);
    if (at >= residual) {
#pragma unroll
      for (int a = 0; a < Block::kDimensions; ++a)
        store4(to + a * width, at == residual ? table[a * kRowTable + kRowTable - 1] : 0, 0, 0, 0);
      continue;
    }
    const float* basis = rowBasis + 3 * Block::active()[firstLandmark + landmark] * axis + column;
    const float4 bx = load4(basis), by = load4(basis + axis), bz = load4(basis + 2 * axis);
    const bool identity = column < columns.identities;
    const bool pose = column + 4 > columns.pose && column < columns.expression;
#pragma unroll 1
    for (int a = 0; a < Block::kDimensions; ++a, table += kRowTable, to += width) {
      const float4 g = load4(table);
      float value[4] = {g.x * bx.x + g.y * by.x + g.z * bz.x, g.x * bx.y + g.y * by.y + g.z * bz.y,
                        g.x * bx.z + g.y * by.z + g.z * bz.z, g.x * bx.w + g.y * by.w + g.z * bz.w};
      if (identity) {
#pragma unroll
        for (int c = 0; c < 4; ++c)
          if (column + c < columns.identities) value[c] = sinc * value[c] + g.w * x[column + c];
      }
      if (pose) {
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          const int which = column + c - columns.pose;
          if (which >= 0 && which < kPoseCapacity) value[c] = table[4 + which];
        }
      }
      store4(to, value[0], value[1], value[2], value[3]);
    }
  }
}

// A general prior's part of H.
template <class Block>
__device__ __forceinline__ void addPrecision(const TilePlace& place, Tile& tile) {
  const int d = Block::columns().identities, identities = Block::system().identities;
  const double weight = Block::options().identityPrior;
  if (place.column >= identities) return;
  tile.forRows(place, [&](float (&entries)[kTile], int row) {
    const double* precision = Block::model().priorPrecision + static_cast<long long>(row) * d + place.column;
#pragma unroll
    for (int c = 0; c < kTile; ++c)
      if (row < identities && place.column + c < identities) entries[c] += static_cast<float>(weight * precision[c]);
  });
}

// H and, as its last row, g of the current state, of its row table and its prior; the diagonal and g in memory as well.
// Both go where later steps find them, but for those of the pose alone, of which each step makes new ones.
template <class Block>
__device__ __forceinline__ void formNormal(const TilePlace& place, Tile& tile) {
  const auto& memory = Block::memory();
  const int chunk = landmarksAtOnce<Block>();
  if (Block::model().priorPrecision && place.any()) addPrecision<Block>(place, tile);
  for (int first = 0; first < memory.activeCount; first += chunk) {
    fillRows<Block>(first, chunk);
    __syncthreads();
    const int count = first + chunk < memory.activeCount ? chunk : memory.activeCount - first;
    if (place.any())
      tile.addProducts<false>(place, Block::rows(), kTile * tilesOf(Block::system().count), count * Block::kDimensions);
    __syncthreads();
  }
  const FitSystem system = Block::system();
  float* diagonal = Block::diagonal();
  tile.forDiagonal(place, [&](float& entry, int column) {
    if (column >= system.count) return;
    entry += diagonal[column];
    diagonal[column] = entry;
  });
  float* gradient = Block::gradient();
  tile.forResidual(place, residualColumn(system.count), [&](float& entry, int column) {
    if (column >= system.count) return;
    entry += gradient[column];
    gradient[column] = entry;
  });
  if (memory.unknowns == Unknowns::kPose) return;
  if (place.any()) tile.store(place, Block::normal(), Block::normalStride());
  if (Block::thread() == 0) Block::memory().linearised = 1;
}

// H of all unknowns once more, v last and without g.
template <class Block>
__device__ __forceinline__ void loadIdentityLast(const FitSystem& system, const TilePlace& place, Tile& tile) {
  const float* normal = Block::normal();
  const int stride = Block::normalStride(), others = system.eliminated, d = system.count - others;
  const auto unknown = [&](int i) { return i < others ? i + d : i - others; };
  tile.forRows(place, [&](float (&entries)[kTile], int row) {
    const int i = unknown(row);
#pragma unroll
    for (int c = 0; c < kTile; ++c) {
      const int j = unknown(place.column + c);
      const bool inside = row < system.count && place.column + c < system.count;
      entries[c] = inside ? normal[i > j ? i * stride + j : j * stride + i] : 0;
    }
  });
}

// Row k of U; its columns in their slots.
template <class Block>
__device__ __forceinline__ float* factorRow(int tiles, int k) {
  const int panel = k / kTile;
  return Block::rows() + panelStart(tiles, panel) + k % kTile * panelStride(tiles, panel) - kTile * panel;
}

// What remains of a system's other columns: its lower triangle, and as its last row minus the right-hand side.
template <class Block>
__device__ __forceinline__ void storeRemainder(const FitSystem& system, const TilePlace& place, Tile& tile,
                                               float* triangle) {
  const int before = system.eliminated, n = system.count - before, residual = residualColumn(system.count);
  if (place.any() && place.column + kTile > before) {
    tile.forRows(place, [&](const float (&entries)[kTile], int row) {
      if (row >= system.count && row != residual) return;
      const float sign = row == residual ? -1 : 1;
      float* to = triangle + packed(row == residual ? n : row - before, 0) + place.column - before;
      const int last = row < system.count ? row : system.count - 1;
#pragma unroll
      for (int c = 0; c < kTile; ++c)
        if (place.column + c >= before && place.column + c <= last) to[c] = sign * entries[c];
    });
  }
  // What becomes of the right-hand side's own square does not matter.
  if (Block::thread() == 0) triangle[packed(n, n)] = 0;
}

// The damped normal equations, eliminated but for the unknowns that come last, whose triangle goes to `triangle` or, of
// the identity, to `rows`; false where they are not positive definite. They are made where they have not been yet, those
// of the pose alone always; with the identity last they are those made last, without damping. The system is asked for
// again where it is needed: beside a tile there are no registers to keep it in. Where no more than a linearisation is
// asked for, that is all.
template <class Block>
__device__ __forceinline__ bool eliminate() {
  auto& memory = Block::memory();
  const TilePlace place = tilePlace(Block::thread(), tilesOf(Block::system().count));
  Tile tile;
  tile.clear();  // on every path: else its registers would count as taken all through the kernel
  if (memory.unknowns == Unknowns::kIdentityLast) {
    if (place.any()) loadIdentityLast<Block>(Block::system(), place, tile);
  } else {
    if (memory.unknowns == Unknowns::kPose || !memory.linearised)
      formNormal<Block>(place, tile);
    else if (place.any())
      tile.load(place, Block::normal(), Block::normalStride());
    if (memory.action == Action::kLinearise) return true;
    const float damping = static_cast<float>(memory.descent.damping);
    tile.forDiagonal(place, [&](float& entry, int) { entry *= 1 + damping; });
  }
  __syncthreads();
  if (!factorTiles(Block::thread(), place, tilesOf(Block::system().count), Block::system().eliminated, tile,
                   Block::rows(), Block::inversePivots(), &memory.positive))
    return false;
  const bool identity = memory.unknowns == Unknowns::kIdentityLast;
  if (identity) __syncthreads();  // the factor has served
  storeRemainder<Block>(Block::system(), place, tile, identity ? Block::rows() : Block::triangle());
  __syncthreads();
  return true;
}

}  // namespace sfm::cuda
