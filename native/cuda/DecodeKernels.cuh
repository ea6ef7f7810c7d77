// Decoding on a device: vertices[B,N,3] = pose(mean + basis [3N,C] * coefficients[B,C]).
//
// Two ways. `decodePlain` multiplies and adds in single precision, one chain per number in the order of the columns, like
// the CPU. `decodeOnTensorCores` takes a basis of 16-bit floats, which is exact there, and splits every coefficient in two
// halves; docs/performance.md derives its error. Both write each vertex once, in whole rows of neighbouring points.
#pragma once

#include "core/FaceModel.h"
#include "core/Platform.h"
#include "cuda/Device.cuh"

namespace sfm::cuda {

constexpr int kPanel = DecodeBasis::kPanel;
constexpr int kPanelRow = DecodeBasis::kRow;

// --- Faces, prepared once for all points -----------------------------------------------------------------------------

// A face besides its coefficients, as single-precision numbers: rotation (9), translation (3), scale of the coefficients,
// and nothing (7), which keeps the records of a warp's faces in different banks of shared memory.
constexpr int kFaceRecord = 20;
constexpr int kRecordOfScale = 12;

constexpr int kTileColumns = 8;  // faces in a tile of the matrix instruction
constexpr float kSecondHalf = 1.0f / 2048;  // the unit of a coefficient's second half: 2^-11

struct FacesSource {
  const float* coefficients;  // [B,C]
  const float* poses;  // [B,12] or null
  int count;  // B
  int columns;  // C
};

// Coefficients as fragments of the matrix instruction's second operand: [tile of 8 faces][steps * halves / 2][lane], 16
// bytes each. With two halves a step is one such: first halves (2 registers), second halves (2). With one half, two steps
// are. Coefficients are divided by a power of two, so that the face's largest lies between 1/2 and 1: whatever a caller's
// latents are, they stay within the range of 16-bit floats and what is lost is relative to the largest.
template <int kHalves>
__global__ void prepareFaces(FacesSource faces, int steps, uint4* fragments, float* records) {
  __shared__ float inverses[kTileColumns];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);  // 128
  const int first = static_cast<int>(blockIdx.x) * kTileColumns;
  {
    // 16 threads for a face.
    const int column = thread / 16, face = first + column;
    float largest = 0;
    if (face < faces.count)
      for (int c = thread % 16; c < faces.columns; c += 16)
        largest = fmaxf(largest, fabsf(faces.coefficients[static_cast<long long>(face) * faces.columns + c]));
    for (int bits = 8; bits > 0; bits /= 2) largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, bits));
    int exponent = 0;
    if (largest > 0 && largest < 3e38f) frexpf(largest, &exponent);
    exponent = exponent < -100 ? -100 : exponent;
    float* record = records + static_cast<long long>(face) * kFaceRecord;
    if (thread % 16 == 0) {
      inverses[column] = ldexpf(1, -exponent);
      record[kRecordOfScale] = ldexpf(1, exponent);
    }
    // Without a pose, the identity's: it changes no bit.
    if (thread % 16 < 12)
      record[thread % 16] = faces.poses && face < faces.count
                                ? faces.poses[static_cast<long long>(face) * 12 + thread % 16]
                                : (thread % 16 % 4 == 0 && thread % 16 < 9 ? 1.0f : 0.0f);
  }
  __syncthreads();
  const int quads = steps * kHalves / 2;
  for (int i = thread; i < quads * 32; i += threads) {
    const int lane = i % 32, column = lane / 4, face = first + column;
    uint32_t registers[4];
    for (int r = 0; r < 4; ++r) {
      // Registers by twos: the halves of one step, or one half of two.
      const int step = kHalves == 2 ? i / 32 : i / 32 * 2 + r / 2;
      const bool second = kHalves == 2 && r >= 2;
      uint32_t pair = 0;
      for (int h = 0; h < 2; ++h) {
        const int c = 16 * step + 8 * (r % 2) + 2 * (lane % 4) + h;
        if (face >= faces.count || c >= faces.columns) continue;
        const float value = faces.coefficients[static_cast<long long>(face) * faces.columns + c] * inverses[column];
        uint16_t half = halfOfFloat(value);
        if (second) half = halfOfFloat((value - floatOfHalf(half)) / kSecondHalf);
        pair |= static_cast<uint32_t>(half) << (16 * h);
      }
      registers[r] = pair;
    }
    fragments[static_cast<long long>(blockIdx.x) * quads * 32 + i] =
        make_uint4(registers[0], registers[1], registers[2], registers[3]);
  }
}

// The basis as fragments of the first operand: [panel][axis][step][lane], 16 bytes each; zero beyond the last column.
static __global__ void arrangeBasis(const uint16_t* panels, int columns, int steps, long long count, uint4* fragments) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int lane = static_cast<int>(i % 32), step = static_cast<int>(i / 32 % steps),
            axis = static_cast<int>(i / 32 / steps % 3);
  const long long panel = i / 32 / steps / 3;
  uint32_t registers[4];
  for (int r = 0; r < 4; ++r) {
    const int row = lane / 4 + 8 * (r % 2);
    registers[r] = 0;
    for (int h = 0; h < 2; ++h) {
      const int column = 16 * step + 8 * (r / 2) + 2 * (lane % 4) + h;
      if (column < columns)
        registers[r] |= static_cast<uint32_t>(panels[(panel * columns + column) * kPanelRow + axis * kPanel + row])
                        << (16 * h);
    }
  }
  fragments[i] = make_uint4(registers[0], registers[1], registers[2], registers[3]);
}

// --- Tensor cores -----------------------------------------------------------------------------------------------------

struct TensorDecode {
  const uint4* basis;  // see arrangeBasis
  const float* mean;  // [panel][48]
  const uint4* coefficients;  // see prepareFaces; whole tiles of kTileFaces
  const float* records;  // [B][kFaceRecord], likewise
  float* vertices;  // [B][3 pointCount]
  int pointCount, panelCount, faceCount;
};

constexpr int kTileFaces = 32;  // faces whose coefficients are in shared memory at a time, twice

// How many warps share a tile of faces: as many as the registers allow, which hold a panel's whole basis.
constexpr int tensorWarps(int steps) { return steps <= 8 ? 12 : 8; }

constexpr int kStageRow = kPanelRow + 4;  // floats; a warp's 32 writes meet 32 banks

template <int kSteps, int kHalves>
struct TensorShared {
  static constexpr int kQuads = kSteps * kHalves / 2;
  uint4 coefficients[2][kTileFaces / kTileColumns][kQuads][32];
  float records[2][kTileFaces][kFaceRecord];
  float stage[tensorWarps(kSteps)][kTileColumns][kStageRow];
  float mean[tensorWarps(kSteps)][kPanelRow];
};

// A block goes through its share of [blocks of panels][tiles of faces], the panels of a block fixed as long as possible:
// each warp holds one panel's basis in registers, and the faces stream by through shared memory.
template <int kSteps, int kHalves>
class TensorDecoder {
 public:
  using Shared = TensorShared<kSteps, kHalves>;
  static constexpr int kWarps = tensorWarps(kSteps);
  static constexpr int kThreads = 32 * kWarps;

  __device__ TensorDecoder(const TensorDecode& task, Shared& shared) : task_(task), shared_(shared) {}

  __device__ void run() {
    const int tiles = (task_.faceCount + kTileFaces - 1) / kTileFaces;
    const long long items = static_cast<long long>((task_.panelCount + kWarps - 1) / kWarps) * tiles;
    const long long begin = items * blockIdx.x / gridDim.x;
    int left = static_cast<int>(items * (blockIdx.x + 1) / gridDim.x - begin);
    if (left == 0) return;
    int panel = static_cast<int>(begin / tiles) * kWarps + warp(), tile = static_cast<int>(begin % tiles);
    bool loaded = false;
    fetch(tile, 0);
    for (int buffer = 0; left > 0; --left, buffer ^= 1) {
      waitForCopies<0>();
      // What has been copied is there for all, and nobody reads the other buffer any more.
      __syncthreads();
      const int next = tile + 1 < tiles ? tile + 1 : 0;
      if (left > 1) fetch(next, buffer ^ 1);
      if (panel < task_.panelCount) {  // else the whole warp has nothing to do
        if (!loaded) load(panel);
        decode(buffer, panel, tile * kTileFaces);
      }
      loaded = next > 0;
      if (next == 0) panel += kWarps;
      tile = next;
    }
  }

 private:
  // Coefficients and records of a tile of faces, which lie one after the other.
  __device__ void fetch(int tile, int buffer) {
    constexpr int kCoefficients = sizeof(Shared::coefficients) / 2 / 16, kRecords = sizeof(Shared::records) / 2 / 16;
    const uint4* coefficients = task_.coefficients + static_cast<long long>(tile) * kCoefficients;
    const float* records = task_.records + static_cast<long long>(tile) * kTileFaces * kFaceRecord;
    uint4* to = &shared_.coefficients[buffer][0][0][0];
    float* toRecords = &shared_.records[buffer][0][0];
    for (int i = static_cast<int>(threadIdx.x); i < kCoefficients; i += kThreads) copyAsync16(to + i, coefficients + i);
    for (int i = static_cast<int>(threadIdx.x); i < kRecords; i += kThreads)
      copyAsync16(toRecords + 4 * i, records + 4 * i);
    commitCopies();
  }

  __device__ void decode(int buffer, int panel, int firstFace) {
#pragma unroll 1
    for (int column = 0; column < kTileFaces / kTileColumns; ++column, firstFace += kTileColumns) {
      if (firstFace >= task_.faceCount) break;
      multiply(buffer, column);
      pose(buffer, column);
      __syncwarp();
      store(panel, firstFace);
      __syncwarp();
    }
  }

  __device__ void load(int panel) {
    const uint4* from = task_.basis + static_cast<long long>(panel) * 3 * kSteps * 32 + lane();
#pragma unroll
    for (int a = 0; a < 3; ++a) {
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
        const uint4 registers = from[(a * kSteps + s) * 32];
        basis_[a][s][0] = registers.x;
        basis_[a][s][1] = registers.y;
        basis_[a][s][2] = registers.z;
        basis_[a][s][3] = registers.w;
      }
    }
    for (int i = lane(); i < kPanelRow; i += 32)
      shared_.mean[warp()][i] = task_.mean[static_cast<long long>(panel) * kPanelRow + i];
    __syncwarp();
  }

  // A panel's 16 points for 8 faces. The halves' sums are kept apart: six chains that the pipeline can overlap, and the
  // second half has a scale of its own.
  __device__ void multiply(int buffer, int column) {
#pragma unroll
    for (int h = 0; h < kHalves; ++h)
#pragma unroll
      for (int a = 0; a < 3; ++a)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum_[h][a][i] = 0;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      const uint4 quad = shared_.coefficients[buffer][column][kHalves == 2 ? s : s / 2][lane()];
      const uint32_t low[2] = {quad.x, quad.y}, high[2] = {quad.z, quad.w};
#pragma unroll
      for (int a = 0; a < 3; ++a) {
        if constexpr (kHalves == 2) {
          multiplyAdd16x8x16(sum_[0][a], basis_[a][s], low);
          multiplyAdd16x8x16(sum_[1][a], basis_[a][s], high);
        } else {
          multiplyAdd16x8x16(sum_[0][a], basis_[a][s], s % 2 == 0 ? low : high);
        }
      }
    }
  }

  // This lane's two faces and two points of each, to the stage.
  __device__ void pose(int buffer, int column) {
#pragma unroll
    for (int f = 0; f < 2; ++f) {
      const int face = 2 * (lane() % 4) + f;
      const float* record = shared_.records[buffer][column * kTileColumns + face];
      const float4 r0 = *reinterpret_cast<const float4*>(record), r1 = *reinterpret_cast<const float4*>(record + 4),
                   r2 = *reinterpret_cast<const float4*>(record + 8);
      const float scale = record[kRecordOfScale];
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        float x[3];
#pragma unroll
        for (int a = 0; a < 3; ++a) {
          float sum = sum_[0][a][2 * p + f];
          if constexpr (kHalves == 2) sum += kSecondHalf * sum_[1][a][2 * p + f];
          x[a] = shared_.mean[warp()][a * kPanel + lane() / 4 + 8 * p] + scale * sum;
        }
        float* to = &shared_.stage[warp()][face][3 * (lane() / 4 + 8 * p)];
        to[0] = r0.x * x[0] + r0.y * x[1] + r0.z * x[2] + r2.y;
        to[1] = r0.w * x[0] + r1.x * x[1] + r1.y * x[2] + r2.z;
        to[2] = r1.z * x[0] + r1.w * x[1] + r2.x * x[2] + r2.w;
      }
    }
  }

  // The stage's rows, one face each, to where they belong: 192 neighbouring bytes, 16 at a time where they are aligned.
  __device__ void store(int panel, int firstFace) const {
    const int row = 3 * task_.pointCount, left = row - panel * kPanelRow, faces = task_.faceCount - firstFace;
    float* to = task_.vertices + static_cast<long long>(firstFace) * row + panel * kPanelRow;
    const float* from = &shared_.stage[warp()][0][0];
    if (row % 4 == 0) {
      constexpr int kQuads = kPanelRow / 4;
#pragma unroll
      for (int i = 0; i < kTileColumns * kQuads / 32; ++i) {
        const int face = (lane() + 32 * i) / kQuads, at = (lane() + 32 * i) % kQuads * 4;
        if (face < faces && at < left)
          __stcs(reinterpret_cast<float4*>(to + static_cast<long long>(face) * row + at),
                 *reinterpret_cast<const float4*>(from + face * kStageRow + at));
      }
    } else {
      for (int i = lane(); i < kTileColumns * kPanelRow; i += 32) {
        const int face = i / kPanelRow, at = i % kPanelRow;
        if (face < faces && at < left)
          __stcs(to + static_cast<long long>(face) * row + at, from[face * kStageRow + at]);
      }
    }
  }

  static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
  static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }

  const TensorDecode& task_;
  Shared& shared_;
  uint32_t basis_[3][kSteps][4];
  float sum_[kHalves][3][4];
};

template <int kSteps, int kHalves>
__global__ void __launch_bounds__(32 * tensorWarps(kSteps), 1) decodeOnTensorCores(TensorDecode task) {
  SFM_DYNAMIC_SHARED(bytes);
  TensorDecoder<kSteps, kHalves>(task, *reinterpret_cast<TensorShared<kSteps, kHalves>*>(bytes)).run();
}

// --- Single precision -------------------------------------------------------------------------------------------------

template <class Value>
struct PlainDecode {
  const Value* basis;  // [panel][column][48]
  const float* mean;  // [panel][48]
  const float* coefficients;  // [B][C]
  const float* poses;  // [B][12] or null
  float* vertices;  // [B][3 pointCount]
  int pointCount, panelCount, columns, faceCount;
};

constexpr int kPlainWarps = 4;  // of 32 points each
constexpr int kPlainFaces = 16;  // that share what is read of the basis
constexpr int kPlainColumns = 64;  // whose coefficients are in shared memory at a time

inline __device__ float valueOf(float value) { return value; }
inline __device__ float valueOf(uint16_t half) { return floatOfHalf(half); }

template <class Value>
__global__ void __launch_bounds__(32 * kPlainWarps, 4) decodePlain(PlainDecode<Value> task) {
  __shared__ float coefficients[kPlainColumns][kPlainFaces];
  __shared__ float stage[kPlainWarps][96];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int firstPoint = (static_cast<int>(blockIdx.x) * kPlainWarps + warp) * 32, point = firstPoint + lane;
  const int firstFace = static_cast<int>(blockIdx.y) * kPlainFaces;
  const long long panel = point / kPanel;
  const bool there = panel < task.panelCount;  // points beyond the last are padded to a whole panel, not to a warp
  const int slot = point % kPanel;

  float sum[3][kPlainFaces];
#pragma unroll
  for (int a = 0; a < 3; ++a) {
    const float mean = there ? task.mean[panel * kPanelRow + a * kPanel + slot] : 0;
#pragma unroll
    for (int f = 0; f < kPlainFaces; ++f) sum[a][f] = mean;
  }
  for (int first = 0; first < task.columns; first += kPlainColumns) {
    const int count = task.columns - first < kPlainColumns ? task.columns - first : kPlainColumns;
    __syncthreads();
    for (int i = thread; i < kPlainFaces * count; i += 32 * kPlainWarps) {
      const int face = i / count, c = i % count;
      coefficients[c][face] =
          firstFace + face < task.faceCount
              ? task.coefficients[static_cast<long long>(firstFace + face) * task.columns + first + c]
              : 0;
    }
    __syncthreads();
    if (!there) continue;
    const Value* basis = task.basis + (panel * task.columns + first) * kPanelRow + slot;
    for (int c = 0; c < count; ++c, basis += kPanelRow) {
      const float x = valueOf(basis[0]), y = valueOf(basis[kPanel]), z = valueOf(basis[2 * kPanel]);
#pragma unroll
      for (int f = 0; f < kPlainFaces; ++f) {
        sum[0][f] = fmaf(x, coefficients[c][f], sum[0][f]);
        sum[1][f] = fmaf(y, coefficients[c][f], sum[1][f]);
        sum[2][f] = fmaf(z, coefficients[c][f], sum[2][f]);
      }
    }
  }
  const long long row = 3LL * task.pointCount;
#pragma unroll
  for (int f = 0; f < kPlainFaces; ++f) {
    if (firstFace + f >= task.faceCount) break;
    float x[3] = {sum[0][f], sum[1][f], sum[2][f]};
    if (task.poses) {
      const float* p = task.poses + static_cast<long long>(firstFace + f) * 12;
      const float before[3] = {x[0], x[1], x[2]};
      for (int a = 0; a < 3; ++a)
        x[a] = fmaf(p[3 * a], before[0], fmaf(p[3 * a + 1], before[1], fmaf(p[3 * a + 2], before[2], p[9 + a])));
    }
    for (int a = 0; a < 3; ++a) stage[warp][3 * lane + a] = x[a];
    __syncwarp();
    for (int i = 0; i < 3; ++i) {
      const long long at = 3LL * firstPoint + lane + 32 * i;
      if (at < row) __stcs(task.vertices + (firstFace + f) * row + at, stage[warp][lane + 32 * i]);
    }
    __syncwarp();
  }
}

// --- Normals ----------------------------------------------------------------------------------------------------------

struct NormalsTask {
  const int32_t* triangles;  // [F,3]
  const int32_t* adjacency;  // triangles around the vertices
  const int32_t* adjacencyStart;  // [N + 1]
  const float* vertices;  // [B,N,3]
  float* normals;  // [B,N,3]
  int vertexCount;
};

// As core/Normals.h, triangles computed anew for each of their vertices: what they read is in the caches.
static __global__ void vertexNormals(NormalsTask task) {
  const int v = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (v >= task.vertexCount) return;
  const long long face = static_cast<long long>(blockIdx.y) * task.vertexCount * 3;
  const float* vertices = task.vertices + face;
  float n[3] = {0, 0, 0};
  for (int at = task.adjacencyStart[v]; at < task.adjacencyStart[v + 1]; ++at) {
    const int32_t* triangle = task.triangles + 3LL * task.adjacency[at];
    const float* a = vertices + 3LL * triangle[0];
    const float* b = vertices + 3LL * triangle[1];
    const float* c = vertices + 3LL * triangle[2];
    const float u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, w[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
    n[0] += u[1] * w[2] - u[2] * w[1];
    n[1] += u[2] * w[0] - u[0] * w[2];
    n[2] += u[0] * w[1] - u[1] * w[0];
  }
  const float length = sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
  float* to = task.normals + face + 3LL * v;
  for (int a = 0; a < 3; ++a) to[a] = length > 0 ? n[a] / length : 0;
}

}  // namespace sfm::cuda
