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

// Faces are the rows of the matrix instruction's result, points its columns.
constexpr int kGroupFaces = 16;
constexpr int kTilePoints = 8;

// A face besides its coefficients, as single-precision numbers: rotation (9), translation (3), scale of the coefficients,
// and nothing (7), which keeps the records of a group's faces in different banks of shared memory.
constexpr int kFaceRecord = 20;
constexpr int kRecordOfScale = 12;

struct FacesSource {
  const float* coefficients;  // [B,C]
  const float* poses;  // [B,12] or null
  int count;  // B
  int columns;  // C
};

// Coefficients as fragments of the matrix instruction's first operand: [group of faces][step][half][lane], 16 bytes each.
// They are divided by a power of two, so that the face's largest lies between 2^14 and 2^15: whatever a caller's latents
// are, both halves stay within the range of 16-bit floats, and what is lost is relative to the largest.
template <int kHalves>
__global__ void prepareFaces(FacesSource faces, int steps, uint4* fragments, float* records) {
  __shared__ float factors[kGroupFaces];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);  // 256: 16 for a face
  const int first = static_cast<int>(blockIdx.x) * kGroupFaces;
  {
    const int row = thread / 16, face = first + row, part = thread % 16;
    float largest = 0;
    if (face < faces.count)
      for (int c = part; c < faces.columns; c += 16)
        largest = fmaxf(largest, fabsf(faces.coefficients[static_cast<long long>(face) * faces.columns + c]));
    for (int bits = 8; bits > 0; bits /= 2) largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, bits));
    int exponent = 0;
    if (largest > 0 && largest < 3e38f) frexpf(largest, &exponent);
    exponent = exponent < -100 ? -100 : exponent;
    float* record = records + static_cast<long long>(face) * kFaceRecord;
    if (part == 0) {
      factors[row] = ldexpf(1, 15 - exponent);
      record[kRecordOfScale] = ldexpf(1, exponent - 15);
    }
    const bool posed = part < 12 && faces.poses && face < faces.count;
    if (part != kRecordOfScale) record[part] = posed ? faces.poses[static_cast<long long>(face) * 12 + part] : 0;
    if (16 + part < kFaceRecord) record[16 + part] = 0;  // is copied with the rest
  }
  __syncthreads();
  const int quads = steps * kHalves * 32;
  for (int i = thread; i < quads; i += threads) {
    const int lane = i % 32, half = i / 32 % kHalves, step = i / 32 / kHalves;
    uint32_t registers[4];
    for (int r = 0; r < 4; ++r) {
      const int row = lane / 4 + 8 * (r % 2), face = first + row;
      registers[r] = 0;
      for (int h = 0; h < 2; ++h) {
        const int c = 16 * step + 8 * (r / 2) + 2 * (lane % 4) + h;
        if (face >= faces.count || c >= faces.columns) continue;
        const float value = faces.coefficients[static_cast<long long>(face) * faces.columns + c] * factors[row];
        uint16_t bits = halfOfFloat(value);
        if (half == 1) bits = halfOfFloat(value - floatOfHalf(bits));
        registers[r] |= static_cast<uint32_t>(bits) << (16 * h);
      }
    }
    fragments[static_cast<long long>(blockIdx.x) * quads + i] =
        make_uint4(registers[0], registers[1], registers[2], registers[3]);
  }
}

// The basis as fragments of the second operand, two steps in 16 bytes: [tile of points][axis][step / 2][lane]; zero beyond
// the last point and column.
static __global__ void arrangeBasis(const uint16_t* panels, int panelCount, int columns, int steps, long long count,
                                    uint4* fragments) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int pairs = steps / 2, lane = static_cast<int>(i % 32), pair = static_cast<int>(i / 32 % pairs),
            axis = static_cast<int>(i / 32 / pairs % 3);
  const long long point = i / 32 / pairs / 3 * kTilePoints + lane / 4, panel = point / kPanel;
  uint32_t registers[4];
  for (int r = 0; r < 4; ++r) {
    registers[r] = 0;
    for (int h = 0; h < 2; ++h) {
      const int column = 32 * pair + 16 * (r / 2) + 8 * (r % 2) + 2 * (lane % 4) + h;
      if (panel < panelCount && column < columns)
        registers[r] |=
            static_cast<uint32_t>(panels[(panel * columns + column) * kPanelRow + axis * kPanel + point % kPanel])
            << (16 * h);
    }
  }
  fragments[i] = make_uint4(registers[0], registers[1], registers[2], registers[3]);
}

// --- Tensor cores -----------------------------------------------------------------------------------------------------

struct TensorDecode {
  const uint4* basis;  // see arrangeBasis; whole strips
  const float* mean;  // [panel][48]
  const uint4* coefficients;  // see prepareFaces; whole groups
  const float* records;  // [B][kFaceRecord], likewise
  float* vertices;  // [B][3 pointCount]
  int pointCount, faceCount;
  int stageGroups;  // groups of faces that are in shared memory at a time, twice
};

constexpr int kTensorWarps = 8;

// Tiles of points whose whole basis a warp holds in its registers: what 255 of them allow.
constexpr int stripTiles(int steps) { return steps <= 8 ? 3 : (steps <= 12 ? 2 : 1); }

// What a block has in shared memory, by offsets in bytes.
template <int kSteps, int kHalves>
struct TensorShared {
  static constexpr int kTiles = stripTiles(kSteps);
  static constexpr int kStripPoints = kTiles * kTilePoints;
  static constexpr int kStripRow = 3 * kStripPoints;  // floats of a strip of points for a face
  // A strip's row in shared memory, floats: the 16 lanes that write 8 bytes at once meet 16 pairs of banks.
  static constexpr int kStageRow = kTiles % 2 == 1 ? kStripRow : kStripRow + 8;
  static constexpr int kGroupQuads = kSteps * kHalves * 32;  // a group's fragments, each of 16 bytes
  static constexpr int kRecordQuads = kGroupFaces * kFaceRecord / 4;
  static constexpr int kBufferQuads = kGroupQuads + kRecordQuads;  // for each group
  static constexpr int kWarpFloats = kGroupFaces * kStageRow + kStripRow;
  static constexpr size_t bytes(int stageGroups) {
    return 16 * size_t{2} * stageGroups * kBufferQuads + sizeof(float) * kTensorWarps * kWarpFloats;
  }
};

// A block goes through its share of [blocks of strips][groups of faces], the strips of a block fixed as long as possible:
// each warp holds the whole basis of one strip of points in registers, and the faces stream by through shared memory.
template <int kSteps, int kHalves, bool kPosed>
class TensorDecoder {
 public:
  using Shared = TensorShared<kSteps, kHalves>;
  static constexpr int kTiles = Shared::kTiles;

  __device__ TensorDecoder(const TensorDecode& task, unsigned char* shared)
      : task_(task),
        buffers_(reinterpret_cast<uint4*>(shared)),
        stage_(reinterpret_cast<float*>(buffers_ + 2 * task.stageGroups * Shared::kBufferQuads) +
               warp() * Shared::kWarpFloats) {}

  __device__ void run() {
    const int groups = (task_.faceCount + kGroupFaces - 1) / kGroupFaces;
    const long long strips = (task_.pointCount + Shared::kStripPoints - 1) / Shared::kStripPoints;
    const long long items = (strips + kTensorWarps - 1) / kTensorWarps * groups;
    const long long begin = items * blockIdx.x / gridDim.x;
    int left = static_cast<int>(items * (blockIdx.x + 1) / gridDim.x - begin);
    if (left == 0) return;
    int strip = static_cast<int>(begin / groups) * kTensorWarps + warp(), group = static_cast<int>(begin % groups);
    int count = smallest(task_.stageGroups, left, groups - group);
    bool loaded = false;
    fetch(group, count, 0);
    for (int buffer = 0; left > 0; buffer ^= 1) {
      waitForCopies<0>();
      // What has been copied is there for all, and nobody reads the other buffer any more.
      __syncthreads();
      left -= count;
      const bool last = group + count == groups;
      const int next = last ? 0 : group + count, nextCount = smallest(task_.stageGroups, left, groups - next);
      if (left > 0) fetch(next, nextCount, buffer ^ 1);
      if (strip < strips) {  // else the whole warp has nothing to do
        if (!loaded) load(strip);
        for (int i = 0; i < count; ++i) decode(buffer, i, strip, (group + i) * kGroupFaces);
      }
      loaded = !last;
      if (last) strip += kTensorWarps;
      group = next;
      count = nextCount;
    }
  }

 private:
  static __device__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
  static __device__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ int smallest(int a, int b, int c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }

  __device__ uint4* buffer(int which, int group) const {
    return buffers_ + (which * task_.stageGroups + group) * Shared::kBufferQuads;
  }

  // Coefficients and records of some groups.
  __device__ void fetch(int first, int count, int which) {
    const uint4* coefficients = task_.coefficients + static_cast<long long>(first) * Shared::kGroupQuads;
    const float* records = task_.records + static_cast<long long>(first) * kGroupFaces * kFaceRecord;
    for (int group = 0; group < count; ++group) {
      uint4* to = buffer(which, group);
      for (int i = static_cast<int>(threadIdx.x); i < Shared::kBufferQuads; i += 32 * kTensorWarps) {
        if (i < Shared::kGroupQuads)
          copyAsync16(to + i, coefficients + group * Shared::kGroupQuads + i);
        else
          copyAsync16(to + i, records + 4 * (group * Shared::kRecordQuads + i - Shared::kGroupQuads));
      }
    }
    commitCopies();
  }

  __device__ void load(int strip) {
    const uint4* from = task_.basis + static_cast<long long>(strip) * kTiles * 3 * (kSteps / 2) * 32 + lane();
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
#pragma unroll
      for (int a = 0; a < 3; ++a)
#pragma unroll
        for (int s = 0; s < kSteps; s += 2) {
          const uint4 two = from[((n * 3 + a) * (kSteps / 2) + s / 2) * 32];
          basis_[n][a][s][0] = two.x;
          basis_[n][a][s][1] = two.y;
          basis_[n][a][s + 1][0] = two.z;
          basis_[n][a][s + 1][1] = two.w;
        }
    // The mean's points as in the vertices: x, y, z of one after the other.
    float* mean = stage_ + kGroupFaces * Shared::kStageRow;
    for (int i = lane(); i < Shared::kStripRow; i += 32) {
      const int point = strip * Shared::kStripPoints + i / 3;
      mean[i] = point < task_.pointCount
                    ? task_.mean[static_cast<long long>(point / kPanel) * kPanelRow + i % 3 * kPanel + point % kPanel]
                    : 0;
    }
    __syncwarp();
  }

  __device__ void decode(int which, int group, int strip, int firstFace) {
    const uint4* from = buffer(which, group);
    multiply(from);
    pose(reinterpret_cast<const float*>(from + Shared::kGroupQuads));
    __syncwarp();
    store(strip, firstFace);
    __syncwarp();
  }

  // 3 kTiles chains of multiplications that the pipeline overlaps.
  __device__ void multiply(const uint4* coefficients) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n)
#pragma unroll
      for (int a = 0; a < 3; ++a)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum_[n][a][i] = 0;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
#pragma unroll
      for (int h = 0; h < kHalves; ++h) {
        const uint4 quad = coefficients[(s * kHalves + h) * 32 + lane()];
        const uint32_t part[4] = {quad.x, quad.y, quad.z, quad.w};
#pragma unroll
        for (int n = 0; n < kTiles; ++n)
#pragma unroll
          for (int a = 0; a < 3; ++a) multiplyAdd16x8x16(sum_[n][a], part, basis_[n][a][s]);
      }
    }
  }

  // This lane's two faces, and two points of every tile, to the stage.
  __device__ void pose(const float* records) {
#pragma unroll
    for (int f = 0; f < 2; ++f) {
      const int face = lane() / 4 + 8 * f;
      const float* record = records + face * kFaceRecord;
      const float scale = record[kRecordOfScale];
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const int at = 3 * (n * kTilePoints + 2 * (lane() % 4));
        const float2* mean = reinterpret_cast<const float2*>(stage_ + kGroupFaces * Shared::kStageRow + at);
        const float2 m0 = mean[0], m1 = mean[1], m2 = mean[2];
        float p[3] = {m0.x, m0.y, m1.x}, q[3] = {m1.y, m2.x, m2.y};
#pragma unroll
        for (int a = 0; a < 3; ++a) {
          p[a] += scale * sum_[n][a][2 * f];
          q[a] += scale * sum_[n][a][2 * f + 1];
        }
        if constexpr (kPosed) {
          turn(record, p);
          turn(record, q);
        }
        float2* to = reinterpret_cast<float2*>(stage_ + face * Shared::kStageRow + at);
        to[0] = make_float2(p[0], p[1]);
        to[1] = make_float2(p[2], q[0]);
        to[2] = make_float2(q[1], q[2]);
      }
    }
  }

  static __device__ __forceinline__ void turn(const float* pose, float (&x)[3]) {
    const float before[3] = {x[0], x[1], x[2]};
#pragma unroll
    for (int a = 0; a < 3; ++a)
      x[a] = pose[3 * a] * before[0] + pose[3 * a + 1] * before[1] + pose[3 * a + 2] * before[2] + pose[9 + a];
  }

  // The stage's rows, one face each, to where they belong: neighbouring bytes, 16 at a time where they are aligned.
  __device__ void store(int strip, int firstFace) const {
    const int row = 3 * task_.pointCount, begin = strip * Shared::kStripRow, left = row - begin,
              faces = task_.faceCount - firstFace;
    float* to = task_.vertices + static_cast<long long>(firstFace) * row + begin;
    if (row % 4 == 0) {
      // Three are on their way before the first is stored.
      constexpr int kQuads = Shared::kStripRow / 4, kEach = kGroupFaces * kQuads / 32, kAtOnce = 3;
      static_assert(kEach % kAtOnce == 0);
#pragma unroll 1
      for (int first = 0; first < kEach; first += kAtOnce) {
        float4 held[kAtOnce];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
          const int which = lane() + 32 * (first + i), face = which / kQuads, at = which % kQuads * 4;
          held[i] = *reinterpret_cast<const float4*>(stage_ + face * Shared::kStageRow + at);
        }
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) {
          const int which = lane() + 32 * (first + i), face = which / kQuads, at = which % kQuads * 4;
          if (face < faces && at < left)
            __stcs(reinterpret_cast<float4*>(to + static_cast<long long>(face) * row + at), held[i]);
        }
      }
    } else {
      for (int i = lane(); i < kGroupFaces * Shared::kStripRow; i += 32) {
        const int face = i / Shared::kStripRow, at = i % Shared::kStripRow;
        if (face < faces && at < left)
          __stcs(to + static_cast<long long>(face) * row + at, stage_[face * Shared::kStageRow + at]);
      }
    }
  }

  const TensorDecode& task_;
  uint4* const buffers_;
  float* const stage_;  // this warp's: faces' rows, then the mean's
  uint32_t basis_[kTiles][3][kSteps][2];
  float sum_[kTiles][3][4];
};

template <int kSteps, int kHalves, bool kPosed>
__global__ void __launch_bounds__(32 * kTensorWarps, 1) decodeOnTensorCores(TensorDecode task) {
  SFM_DYNAMIC_SHARED(bytes);
  TensorDecoder<kSteps, kHalves, kPosed>(task, bytes).run();
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
