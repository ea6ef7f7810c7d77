// The model as the kernels want it: checked, packed, immutable; shared by every call in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/AlignedBuffer.h"
#include "core/DeviceCopies.h"

namespace sfm {

// A basis as it comes from a model file: rows of N*3 floats, or the bit patterns of 16-bit floats.
struct BasisView {
  const float* floats = nullptr;
  const uint16_t* halves = nullptr;
  int columns = 0;  // latents
  float at(size_t i) const;
};

// Views of a caller's arrays; only read while a FaceModel is made.
struct FaceModelSource {
  int vertexCount = 0;
  const float* mean = nullptr;  // [N,3] mm
  BasisView identity;           // [K,N,3]
  BasisView expression;         // [E,N,3]
  const float* expressionBounds = nullptr;  // [E,2]
  const float* expressionStddev = nullptr;  // [E]
  const float* expressionMean = nullptr;    // [E] of the prior; null: all 0
  const float* priorMean = nullptr;         // [K] unit; null for a Gaussian model
  const float* priorFactor = nullptr;       // [K,K]; null for a Gaussian model
  const float* personShare = nullptr;       // [K] 0..1 of each latent's variance, the person's own; null: all of it
  BasisView withinIdentity;                 // [Q,N,3] mm; no columns: none
  const int32_t* triangles = nullptr;       // [F,3]
  int triangleCount = 0;
  const int32_t* mirror = nullptr;          // [N] of each vertex the mirror image; null: not known
};

// A barycentric combination of three vertices.
struct SurfacePoint {
  int32_t vertices[3];
  float weights[3];
};

// The basis of some points of the surface, packed for decoding: panels of 16 points, in each panel one row of 3 x 16
// numbers (16 x, 16 y, 16 z) per column, so that a kernel reads forward only and transforms and interleaves in
// registers.
struct DecodeBasis {
  static constexpr int kPanel = 16;
  static constexpr int kRow = 3 * kPanel;
  int pointCount = 0;
  int panelCount = 0;
  int columnCount = 0;               // identity columns that are not all zero, then expressions
  AlignedBuffer<float> mean;         // [panel][48]
  AlignedBuffer<uint16_t> halves;    // [panel][column][48], or
  AlignedBuffer<float> floats;       // the same
  bool isHalf() const { return halves.data() != nullptr; }
  size_t bytes() const;
  // Where an axis of a vertex is in `mean`, and with a column in `halves` or `floats`.
  size_t at(size_t vertex, int axis) const {
    return vertex / kPanel * kRow + static_cast<size_t>(axis) * kPanel + vertex % kPanel;
  }
  size_t at(size_t vertex, int axis, int column) const {
    return (vertex / kPanel * static_cast<size_t>(columnCount) + static_cast<size_t>(column)) * kRow +
           static_cast<size_t>(axis) * kPanel + vertex % kPanel;
  }
};

struct MirroredBasis;  // core/MirroredBasis.h

class FaceModel {
 public:
  // Throws Error(INVALID_MODEL) where a number is not finite, an index is out of range or a shape is impossible.
  explicit FaceModel(const FaceModelSource& source);
  ~FaceModel();

  int vertexCount() const { return vertexCount_; }
  int identityCount() const { return identityCount_; }      // K as in the file
  int expressionCount() const { return expressionCount_; }  // E
  // Q: variation of one person that is neither identity nor expression; a nuisance of the fit, no part of decoding.
  int withinIdentityCount() const { return withinIdentityCount_; }
  // Dimension of the tangent space: K - 1 on the sphere, K for a Gaussian model.
  int tangentCount() const { return spherical_ ? identityCount_ - 1 : identityCount_; }
  bool spherical() const { return spherical_; }
  // The radius at which the tangent coordinates have unit variance (0 for a Gaussian model: flat).
  double radius() const { return radius_; }
  double inverseRadius() const { return spherical_ ? 1 / radius_ : 0; }
  // Whether the model uses the coordinate along the pole; without it, only the near hemisphere is searched.
  bool hasSlack() const { return hasSlack_; }
  // [D,D] inverse covariance of the tangent coordinates, and the lower triangular factor L of the covariance L L^T:
  // v = L x, x ~ N(0, I) the whitened coordinates. Both empty when the covariance is the identity.
  const std::vector<double>& priorPrecision() const { return priorPrecision_; }
  const std::vector<double>& priorFactor() const { return priorFactor_; }
  // [D] of each whitened latent's variance, the person's own; empty: all of it.
  const std::vector<float>& personShare() const { return personShare_; }
  // How long chart coordinates may be: without a slack column the far hemisphere repeats the near one's shapes, with it
  // keep clear of the antipode. Infinite for a Gaussian model.
  double largestTangent() const;

  const float* expressionBounds() const { return expressionBounds_.data(); }
  const float* expressionStddev() const { return expressionStddev_.data(); }
  const float* expressionMean() const { return expressionMean_.data(); }
  const std::vector<int32_t>& triangles() const { return triangles_; }
  // For each vertex its triangles: triangle indices adjacency()[adjacencyStart()[v] .. adjacencyStart()[v + 1]).
  const std::vector<int32_t>& adjacency() const { return adjacency_; }
  const std::vector<int32_t>& adjacencyStart() const { return adjacencyStart_; }

  // The Householder vector [K] that takes the prior's mean to the pole (z - 2 w (w . z)); empty when it stands there.
  const std::vector<double>& reflector() const { return reflector_; }

  const DecodeBasis& decodeBasis() const { return decodeBasis_; }
  // The same basis for decoding left and right at once; null where that saves nothing. Made when it is first asked for.
  const MirroredBasis* mirroredBasis() const;
  bool hasMirroredBasis() const { return mirroredMade_.load(std::memory_order_acquire); }  // whether it was made
  // Of a whole face on vectors: what is multiplied and added, each by itself.
  double decodeFlops() const;
  const DeviceCopies& deviceCopies() const { return deviceCopies_; }
  size_t bytes() const;  // of memory
  // The file's identity column that each packed identity column holds.
  const std::vector<int32_t>& identityColumns() const { return identityColumns_; }

  // Mean and basis of one surface point in chart coordinates: out[axis][column], columns = tangent (D, unit variance),
  // slack (1), expression (E), within identity (Q).
  void gather(const SurfacePoint& point, double* mean, double* rows) const;

  // Chart coordinates [D] at unit variance to the file's latent [K], and the direction of the chart coordinates [D]
  // (zero at the mean).
  void latentFromTangent(const double* tangent, double* latent, double* direction) const;
  // The same of whitened coordinates [D], at the edge of the chart where they lie beyond it.
  void latentFromWhitened(const double* whitened, double* latent, double* direction) const;
  // The inverse of latentFromTangent: any latent of the file (on the sphere: any non-zero vector, taken to the sphere) to chart coordinates.
  void tangentFromLatent(const double* latent, double* tangent) const;

  // Decoding coefficients [columnCount] of a face.
  void decodeCoefficients(const float* identity, const float* expression, float* coefficients) const;

  // A basis of chosen surface points, for decoding landmarks alone.
  DecodeBasis gatherDecodeBasis(const std::vector<SurfacePoint>& points) const;

 private:
  float packed(size_t vertex, int axis, int column) const;
  BasisView withinIdentity() const;
  void reflect(double* latent) const;

  int vertexCount_;
  int identityCount_;
  int expressionCount_;
  int withinIdentityCount_;
  bool spherical_;
  bool hasSlack_ = false;
  double radius_ = 0;
  std::vector<double> reflector_;
  std::vector<double> priorPrecision_;
  std::vector<double> priorFactor_;
  std::vector<float> personShare_;
  std::vector<float> expressionBounds_;
  std::vector<float> expressionStddev_;
  std::vector<float> expressionMean_;
  std::vector<int32_t> triangles_;
  std::vector<int32_t> adjacency_;
  std::vector<int32_t> adjacencyStart_;
  std::vector<int32_t> identityColumns_;
  DecodeBasis decodeBasis_;
  std::vector<int32_t> mirror_;
  mutable std::once_flag mirroredOnce_;
  mutable std::atomic<bool> mirroredMade_{false};
  mutable std::unique_ptr<const MirroredBasis> mirroredBasis_;
  std::vector<float> withinIdentityFloats_;  // [Q,N,3] as in the file, or
  std::vector<uint16_t> withinIdentityHalves_;  // the same
  DeviceCopies deviceCopies_;
};

}  // namespace sfm
