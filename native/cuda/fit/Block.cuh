// A block that fits one face at a time: its memory, and what its threads do together.
//
// What a fit knows lies in shared memory, at an address that the compiler knows, so that its steps can be functions of
// their own with registers of their own. Scalars are the first thread's to compute: in double precision, which many
// devices have little of. Whatever goes through landmarks or unknowns is shared by all threads.
#pragma once

#include "core/Descent.h"
#include "core/LandmarkRows.h"
#include "core/Sphere.h"
#include "cuda/fit/Box.cuh"
#include "cuda/fit/Task.cuh"

namespace sfm::cuda {

// What a state of the unknowns predicts, by active landmark; arrays of [3] have their axes landmarkStride apart.
struct DeviceEvaluation {
  double* turned;       // [3]
  double* residual;     // [3]
  double* squared;
  float* identityPart;  // [3]
};

// A state besides its latents.
struct DeviceState {
  FitPose pose;
  Sight sight;
  ChartScalars chart;
  double norm;   // of v
  double prior;  // its cost
};

// What the block does next, as the first thread says (Course.cuh).
enum class Action : int {
  kLook,        // the current state: what it predicts and what it costs
  kValue,       // what it costs by another objective
  kStep,        // to a trial, and look at that
  kCovariance,  // of the identity
  kLinearise,  // the current state anew, and no more
  kInformation,  // on the identity, for its posterior
  kWeigh,       // report the weights, then drop the nuisances
  kReport,      // all else
  kGiveUp,      // single precision does not do
};

// What has come before: what the block's answer is about.
enum class Stage : int {
  kStart,
  kBegun,
  kSharpened,
  kTried,
  kReached,
  kLinearised,
  kMeasured,
  kRelinearised,
  kInformed,
  kWeighed,
  kDropped,
  kPosed
};

template <int kThreads>
struct FitMemory {
  static constexpr int kWarps = kThreads / 32, kMostSums = 5;
  // Groups of 32 columns: as many as a system may have.
  static constexpr int kColumnGroups = kThreads == kSmallBlock ? 6 : 8;
  static_assert(!tilesFit(32 * kColumnGroups + 1, kThreads));
  FitTask task;
  StartRecord start;
  DeviceState states[2];
  Descent descent;
  FitSolution solution;
  double sums[kWarps * kMostSums];
  double cost, fraction, predicted;
  double factoredDamping;  // that the factors in hand are of
  Descent before;  // a further step
  double inverseVariance;  // of a good landmark
  float shrink;
  int problem, activeCount;
  int current;  // of the states
  int linearised;  // the normal equations of the current state are at hand
  int valid, positive, last;
  Action action;
  Stage stage;
  Unknowns unknowns;  // of a step
  int coarse;         // the first strides
  int furtherSteps;   // by the factors in hand, the one that is being made included
  int poseSteps;      // without the nuisances
  int votes[kWarps];
  float inversePivots[32 * kColumnGroups];  // of the factor
};

template <int kBlockThreads, bool kOfImage>
struct FitBlock {
  static constexpr int kThreads = kBlockThreads;
  static constexpr bool kImage = kOfImage;
  static constexpr int kDimensions = kImage ? 2 : 3;
  using Memory = FitMemory<kThreads>;
  static constexpr int kColumnGroups = Memory::kColumnGroups;
  static constexpr int kMemoryFloats = (sizeof(Memory) + 15) / 16 * 4;

  __device__ static Memory& memory() {
    SFM_DYNAMIC_SHARED(shared);
    return *reinterpret_cast<Memory*>(shared);
  }
  __device__ static float* arrays() {
    SFM_DYNAMIC_SHARED(shared);
    return reinterpret_cast<float*>(shared) + kMemoryFloats;
  }
  __device__ static const FitTask& task() { return memory().task; }
  __device__ static const FitPlan& plan() { return task().plan; }
  __device__ static const FitColumns& columns() { return plan().columns; }
  __device__ static const DeviceFitModel& model() { return task().model; }
  __device__ static const FitOptions& options() { return task().batch.options; }

  __device__ static FitSystem system() { return systemOf(memory().unknowns, columns()); }
  // What is to be looked at, see Action.
  __device__ static int looked() { return memory().action == Action::kStep ? 1 - memory().current : memory().current; }

  // --- In shared memory -------------------------------------------------------------------------------------------------

  // Rows of the Jacobian, or the factor.
  __device__ static float* rows() { return arrays(); }
  __device__ static float* latents(int which) { return arrays() + plan().latents + which * plan().basisStride; }
  // Of the system that is being solved, in its columns.
  __device__ static float* step() { return arrays() + plan().step; }
  __device__ static float* gradient() { return arrays() + plan().gradient; }
  __device__ static float* diagonal() { return arrays() + plan().diagonal; }
  __device__ static float* inversePivots() { return memory().inversePivots; }
  __device__ static float* triangle() { return arrays() + plan().triangle; }
  __device__ static BoxArrays box() { return BoxArrays(arrays() + plan().box, columns().expressions); }

  // --- In the block's slab ----------------------------------------------------------------------------------------------

  template <class T>
  __device__ static T* slab(size_t offset) {
    return reinterpret_cast<T*>(task().slabs + blockIdx.x * plan().slab + offset);
  }
  __device__ static DeviceEvaluation evaluation(int which) {
    double* numbers = slab<double>(plan().evaluation[which]);
    const int stride = plan().landmarkStride;
    return {numbers, numbers + 3 * stride, numbers + 6 * stride, reinterpret_cast<float*>(numbers + 7 * stride)};
  }
  __device__ static int* active() { return slab<int>(plan().active); }
  __device__ static double* observed() { return slab<double>(plan().observed); }
  __device__ static double* inverseVariance() { return slab<double>(plan().inverseVariance); }
  __device__ static LandmarkDerivative* derivatives() { return slab<LandmarkDerivative>(plan().derivatives); }
  __device__ static float* slopes() { return slab<float>(plan().slopes); }
  // C^-1 v of a state, where the prior is a general one.
  __device__ static double* pull(int which) { return slab<double>(plan().pull[which]); }
  __device__ static float* rowTable() { return slab<float>(plan().rowTable); }
  // The lower triangle of H and, as its last row, g.
  __device__ static float* normal() { return slab<float>(plan().normal); }
  __device__ static int normalStride() { return kTile * tilesOf(columns().count); }

  // --- Together ---------------------------------------------------------------------------------------------------------

  __device__ static int thread() { return threadNumber(); }

  // The task, word by word.
  __device__ static void take(const FitTask& task) {
    static_assert(sizeof(FitTask) % sizeof(uint32_t) == 0);
    const unsigned char* from = reinterpret_cast<const unsigned char*>(&task);
    unsigned char* to = reinterpret_cast<unsigned char*>(&memory().task);
    for (size_t i = threadIdx.x * sizeof(uint32_t); i < sizeof(FitTask); i += kThreads * sizeof(uint32_t))
      memcpy(to + i, from + i, sizeof(uint32_t));
  }

  // What the first thread does alone, after and before everyone else.
  template <class Body>
  __device__ static void once(Body body) {
    __syncthreads();
    if (thread() == 0) body();
    __syncthreads();
  }

  // Sums over the block, in the same order each time, for the first thread to go on with: body(sums).
  template <int kCount, class Body>
  __device__ static void sumOnce(double (&values)[kCount], Body body) {
    static_assert(kCount <= Memory::kMostSums);
    double* partial = memory().sums;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      values[i] = sumOverWarp(values[i]);
      if (thread() % 32 == 0) partial[thread() / 32 * kCount + i] = values[i];
    }
    once([&] {
      double sums[kCount] = {};
      for (int warp = 0; warp < Memory::kWarps; ++warp)
        for (int i = 0; i < kCount; ++i) sums[i] += partial[warp * kCount + i];
      body(sums);
    });
  }

  // --- Small things -----------------------------------------------------------------------------------------------------

  // A landmark's numbers from arrays of [3].
  __device__ static void gather(const double* from, int i, double* to) {
    const int stride = plan().landmarkStride;
    for (int a = 0; a < 3; ++a) to[a] = from[a * stride + i];
  }
  // Its residual: in an image the third is nothing.
  __device__ static void gatherResidual(int which, int i, double* to) {
    const double* from = evaluation(which).residual;
    const int stride = plan().landmarkStride;
    for (int a = 0; a < 3; ++a) to[a] = a < kDimensions ? from[a * stride + i] : 0;
  }
};

}  // namespace sfm::cuda
