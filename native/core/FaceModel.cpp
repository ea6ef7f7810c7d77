#include "core/FaceModel.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/Error.h"
#include "core/Half.h"
#include "core/MirroredBasis.h"
#include "core/Sphere.h"

namespace sfm {

namespace {

constexpr double kPi = 3.14159265358979323846;

[[noreturn]] void invalid(const std::string& message) { throw Error(ErrorCode::INVALID_MODEL, message); }

void requireFinite(const float* values, size_t count, const char* name) {
  // A sum of v * 0 is 0 for finite numbers and NaN otherwise: one pass without a branch for each number.
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += values[i] * 0.0f;
  if (sum != 0.0f || std::isnan(sum)) invalid(std::string(name) + ": a value is not finite");
}

void requireFinite(const BasisView& basis, size_t count, const char* name) {
  if (basis.floats) return requireFinite(basis.floats, count, name);
  bool bad = false;
  for (size_t i = 0; i < count; ++i) bad |= (basis.halves[i] & 0x7c00u) == 0x7c00u;
  if (bad) invalid(std::string(name) + ": a value is not finite");
}

bool isZero(const BasisView& basis, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i)
    if (basis.floats ? basis.floats[i] != 0 : (basis.halves[i] & 0x7fffu) != 0) return false;
  return true;
}

// a = L L^T, in place, of a symmetric positive definite matrix with a diagonal of about 1; false when it is singular to
// the rounding of numbers that were stored in single precision.
bool choleskyFactor(std::vector<double>& l, int n) {
  for (int j = 0; j < n; ++j) {
    for (int i = j; i < n; ++i) {
      double sum = l[static_cast<size_t>(i) * n + j];
      for (int k = 0; k < j; ++k) sum -= l[static_cast<size_t>(i) * n + k] * l[static_cast<size_t>(j) * n + k];
      if (i == j) {
        if (!(sum > 1e-12)) return false;
        l[static_cast<size_t>(j) * n + j] = std::sqrt(sum);
      } else {
        l[static_cast<size_t>(i) * n + j] = sum / l[static_cast<size_t>(j) * n + j];
        l[static_cast<size_t>(j) * n + i] = 0;
      }
    }
  }
  return true;
}

// (L L^T)^-1
std::vector<double> inverseOfFactored(const std::vector<double>& l, int n) {
  std::vector<double> a(l.size()), x(n);
  for (int c = 0; c < n; ++c) {
    for (int i = 0; i < n; ++i) {
      double sum = i == c ? 1 : 0;
      for (int k = 0; k < i; ++k) sum -= l[static_cast<size_t>(i) * n + k] * x[k];
      x[i] = sum / l[static_cast<size_t>(i) * n + i];
    }
    for (int i = n - 1; i >= 0; --i) {
      double sum = x[i];
      for (int k = i + 1; k < n; ++k) sum -= l[static_cast<size_t>(k) * n + i] * x[k];
      x[i] = sum / l[static_cast<size_t>(i) * n + i];
    }
    for (int i = 0; i < n; ++i) a[static_cast<size_t>(i) * n + c] = x[i];
  }
  return a;
}

}  // namespace

float BasisView::at(size_t i) const { return floats ? floats[i] : halfToFloat(halves[i]); }

size_t DecodeBasis::bytes() const {
  return mean.size() * sizeof(float) + halves.size() * sizeof(uint16_t) + floats.size() * sizeof(float);
}

FaceModel::FaceModel(const FaceModelSource& source)
    : vertexCount_(source.vertexCount),
      identityCount_(source.identity.columns),
      expressionCount_(source.expression.columns),
      withinIdentityCount_(source.withinIdentity.columns),
      spherical_(source.priorMean != nullptr) {
  const int n = vertexCount_, k = identityCount_, e = expressionCount_;
  if (n < 1 || n > (1 << 24)) invalid("mean: expected 1 to 16,777,216 vertices");
  if (k < (spherical_ ? 2 : 1) || k > 4096) invalid("identity_basis: expected 2 to 4,096 latents");
  if (e < 0 || e > 4096) invalid("expression_basis: expected at most 4,096 expressions");
  if (withinIdentityCount_ < 0 || withinIdentityCount_ > 1024)
    invalid("within_identity_basis: expected at most 1,024 columns");
  const size_t row = static_cast<size_t>(n) * 3;
  requireFinite(source.mean, row, "mean");
  requireFinite(source.identity, row * k, "identity_basis");
  if (e > 0) requireFinite(source.expression, row * e, "expression_basis");
  if (withinIdentityCount_ > 0) {
    const size_t size = row * withinIdentityCount_;
    const BasisView& within = source.withinIdentity;
    requireFinite(within, size, "within_identity_basis");
    if (within.floats)
      withinIdentityFloats_.assign(within.floats, within.floats + size);
    else
      withinIdentityHalves_.assign(within.halves, within.halves + size);
  }

  expressionBounds_.assign(source.expressionBounds, source.expressionBounds + 2 * static_cast<size_t>(e));
  expressionStddev_.assign(source.expressionStddev, source.expressionStddev + e);
  expressionMean_.assign(static_cast<size_t>(e), 0.0f);
  if (source.expressionMean) expressionMean_.assign(source.expressionMean, source.expressionMean + e);
  for (int i = 0; i < e; ++i) {
    if (!(expressionBounds_[2 * i] <= expressionBounds_[2 * i + 1]))
      invalid("expression_bounds: expected lower <= upper");
    if (!(expressionStddev_[i] > 0) || !std::isfinite(expressionStddev_[i]))
      invalid("expression_stddev: expected positive numbers");
    if (!std::isfinite(expressionMean_[i])) invalid("expression_mean: expected finite numbers");
  }

  triangles_.assign(source.triangles, source.triangles + 3 * static_cast<size_t>(source.triangleCount));
  adjacencyStart_.assign(static_cast<size_t>(n) + 1, 0);
  for (int32_t index : triangles_) {
    if (index < 0 || index >= n) invalid("triangles: an index is out of range");
    ++adjacencyStart_[static_cast<size_t>(index) + 1];
  }
  for (int i = 0; i < n; ++i) adjacencyStart_[i + 1] += adjacencyStart_[i];
  adjacency_.resize(triangles_.size());
  {
    std::vector<int32_t> next(adjacencyStart_.begin(), adjacencyStart_.end() - 1);
    for (size_t i = 0; i < triangles_.size(); ++i) adjacency_[next[triangles_[i]]++] = static_cast<int32_t>(i / 3);
  }

  if (source.mirror) {
    mirror_.assign(source.mirror, source.mirror + n);
    for (int32_t i = 0; i < n; ++i)
      if (mirror_[i] < 0 || mirror_[i] >= n || mirror_[mirror_[i]] != i)
        invalid("mirror: expected pairs of vertices, each the other's mirror image");
  }

  for (int i = 0; i < k; ++i)
    if (!isZero(source.identity, row * i, row * (i + 1))) identityColumns_.push_back(i);

  // Pack. The columns are copied as they are: a 16-bit basis stays exact.
  decodeBasis_.pointCount = n;
  decodeBasis_.panelCount = (n + DecodeBasis::kPanel - 1) / DecodeBasis::kPanel;
  decodeBasis_.columnCount = static_cast<int>(identityColumns_.size()) + e;
  const size_t panelSize = static_cast<size_t>(decodeBasis_.columnCount) * DecodeBasis::kRow;
  const bool half = !source.identity.floats && (e == 0 || !source.expression.floats);
  decodeBasis_.mean = AlignedBuffer<float>(static_cast<size_t>(decodeBasis_.panelCount) * DecodeBasis::kRow);
  if (half)
    decodeBasis_.halves = AlignedBuffer<uint16_t>(panelSize * decodeBasis_.panelCount);
  else
    decodeBasis_.floats = AlignedBuffer<float>(panelSize * decodeBasis_.panelCount);
  for (int panel = 0; panel < decodeBasis_.panelCount; ++panel) {
    const int first = panel * DecodeBasis::kPanel;
    const int count = n - first < DecodeBasis::kPanel ? n - first : DecodeBasis::kPanel;
    float* mean = decodeBasis_.mean.data() + static_cast<size_t>(panel) * DecodeBasis::kRow;
    for (int i = 0; i < count; ++i)
      for (int a = 0; a < 3; ++a)
        mean[a * DecodeBasis::kPanel + i] = source.mean[3 * static_cast<size_t>(first + i) + a];
    for (int c = 0; c < decodeBasis_.columnCount; ++c) {
      const bool isIdentity = c < static_cast<int>(identityColumns_.size());
      const BasisView& from = isIdentity ? source.identity : source.expression;
      const size_t column = isIdentity ? identityColumns_[c] : c - identityColumns_.size();
      const size_t begin = column * row + 3 * static_cast<size_t>(first);
      const size_t to = panelSize * panel + static_cast<size_t>(c) * DecodeBasis::kRow;
      for (int i = 0; i < count; ++i) {
        for (int a = 0; a < 3; ++a) {
          const size_t at = to + a * DecodeBasis::kPanel + i;
          if (half)
            decodeBasis_.halves[at] = from.halves[begin + 3 * i + a];
          else
            decodeBasis_.floats[at] = from.at(begin + 3 * i + a);
        }
      }
    }
  }

  if (!spherical_) return;

  // The prior's mean goes to the pole by a reflection: v - 2 w (w . v), w along mean - pole.
  std::vector<double> mu(source.priorMean, source.priorMean + k);
  const double norm = std::sqrt(squaredNorm(mu.data(), k));
  if (!(std::fabs(norm - 1) < 1e-3)) invalid("identity_prior_mean: expected a unit vector");
  for (double& value : mu) value /= norm;
  mu[k - 1] -= 1;
  const double distance = std::sqrt(squaredNorm(mu.data(), k));
  if (distance > 1e-7) {
    for (double& value : mu) value /= distance;
    reflector_ = mu;
  }

  const int d = k - 1;
  requireFinite(source.priorFactor, static_cast<size_t>(k) * k, "identity_prior_factor");
  std::vector<double> factor(static_cast<size_t>(k) * k);
  for (int j = 0; j < k; ++j) {
    std::vector<double> column(k);
    for (int i = 0; i < k; ++i) column[i] = source.priorFactor[static_cast<size_t>(i) * k + j];
    reflect(column.data());
    for (int i = 0; i < k; ++i) factor[static_cast<size_t>(i) * k + j] = column[i];
  }
  std::vector<double> covariance(static_cast<size_t>(d) * d);
  double trace = 0;
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j <= i; ++j) {
      const double value = dot(&factor[static_cast<size_t>(i) * k], &factor[static_cast<size_t>(j) * k], k);
      covariance[static_cast<size_t>(i) * d + j] = covariance[static_cast<size_t>(j) * d + i] = value;
    }
    trace += covariance[static_cast<size_t>(i) * d + i];
  }
  if (!(trace > 0)) invalid("identity_prior_factor: expected a covariance that is not zero");
  radius_ = std::sqrt(d / trace);
  double deviation = 0;
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j < d; ++j) {
      double& value = covariance[static_cast<size_t>(i) * d + j];
      value *= radius_ * radius_;
      const double from = std::fabs(value - (i == j ? 1 : 0));
      deviation = from > deviation ? from : deviation;
    }
  }
  if (deviation > 1e-4) {
    if (!choleskyFactor(covariance, d)) invalid("identity_prior_factor: expected full rank in the tangent space");
    priorPrecision_ = inverseOfFactored(covariance, d);
    priorFactor_ = std::move(covariance);
  }

  if (source.personShare) {
    personShare_.assign(source.personShare, source.personShare + d);
    for (const float share : personShare_)
      if (!(share >= 0 && share <= 1)) invalid("identity_person_share: expected numbers from 0 to 1");
  }

  // The slack column a_t = basis * pole.
  std::vector<double> pole(k, 0.0);
  pole[k - 1] = 1;
  reflect(pole.data());
  for (size_t i = 0; i < row && !hasSlack_; ++i) {
    double value = 0;
    for (int c : identityColumns_) value += pole[c] * source.identity.at(row * c + i);
    hasSlack_ = std::fabs(value) > 1e-3;  // mm: below that it is the rounding of a 16-bit basis
  }
}

FaceModel::~FaceModel() = default;

const MirroredBasis* FaceModel::mirroredBasis() const {
  std::call_once(mirroredOnce_, [this] {
    if (!mirror_.empty()) mirroredBasis_ = sfm::mirroredBasis(decodeBasis_, mirror_);
    mirroredMade_.store(true, std::memory_order_release);
  });
  return mirroredBasis_.get();
}

double FaceModel::decodeFlops() const {
  const MirroredBasis* const mirrored = mirroredBasis();
  return mirrored ? 2.0 * mirrored->panelCount * MirroredBasis::kRow * mirrored->rowCount()
                  : 6.0 * vertexCount_ * decodeBasis_.columnCount;
}

void FaceModel::reflect(double* latent) const {
  if (reflector_.empty()) return;
  const double along = 2 * dot(reflector_.data(), latent, identityCount_);
  for (int i = 0; i < identityCount_; ++i) latent[i] -= along * reflector_[i];
}

float FaceModel::packed(size_t vertex, int axis, int column) const {
  const size_t at = decodeBasis_.at(vertex, axis, column);
  return decodeBasis_.isHalf() ? halfToFloat(decodeBasis_.halves[at]) : decodeBasis_.floats[at];
}

BasisView FaceModel::withinIdentity() const {
  return {withinIdentityFloats_.empty() ? nullptr : withinIdentityFloats_.data(),
          withinIdentityHalves_.empty() ? nullptr : withinIdentityHalves_.data(), withinIdentityCount_};
}

size_t FaceModel::bytes() const {
  return decodeBasis_.bytes() + (triangles_.size() + adjacency_.size() + mirror_.size()) * sizeof(int32_t) +
         (priorPrecision_.size() + priorFactor_.size()) * sizeof(double) +
         withinIdentityFloats_.size() * sizeof(float) + withinIdentityHalves_.size() * sizeof(uint16_t);
}

void FaceModel::gather(const SurfacePoint& point, double* mean, double* rows) const {
  const int d = tangentCount(), columns = d + 1 + expressionCount_ + withinIdentityCount_;
  const BasisView within = withinIdentity();
  const int identityColumns = static_cast<int>(identityColumns_.size());
  std::vector<double> identity(identityCount_);
  for (int a = 0; a < 3; ++a) {
    mean[a] = 0;
    double* row = rows + static_cast<size_t>(a) * columns;
    for (int c = 0; c < columns; ++c) row[c] = 0;
    std::fill(identity.begin(), identity.end(), 0.0);
    for (int corner = 0; corner < 3; ++corner) {
      const double w = point.weights[corner];
      if (w == 0) continue;
      const size_t vertex = point.vertices[corner];
      mean[a] += w * decodeBasis_.mean[decodeBasis_.at(vertex, a)];
      for (int c = 0; c < identityColumns; ++c) identity[identityColumns_[c]] += w * packed(vertex, a, c);
      for (int c = 0; c < expressionCount_; ++c) row[d + 1 + c] += w * packed(vertex, a, identityColumns + c);
      for (int c = 0; c < withinIdentityCount_; ++c)
        row[d + 1 + expressionCount_ + c] += w * within.at((static_cast<size_t>(c) * vertexCount_ + vertex) * 3 + a);
    }
    // The file's latent has unit norm; the chart's sphere has radius r, so its basis is r times smaller.
    reflect(identity.data());
    const double scale = spherical_ ? 1 / radius_ : 1;
    for (int c = 0; c < d; ++c) row[c] = scale * identity[c];
    row[d] = spherical_ && hasSlack_ ? scale * identity[d] : 0;
  }
}

void FaceModel::latentFromTangent(const double* tangent, double* latent, double* direction) const {
  const int d = tangentCount();
  const double norm = std::sqrt(squaredNorm(tangent, d));
  for (int i = 0; i < d; ++i) direction[i] = norm > 0 ? tangent[i] / norm : 0;
  if (!spherical_) {
    for (int i = 0; i < d; ++i) latent[i] = tangent[i];
    return;
  }
  const ChartScalars s = chartScalars(norm / radius_);
  for (int i = 0; i < d; ++i) latent[i] = s.sinc * tangent[i] / radius_;
  latent[d] = s.cosine;
  reflect(latent);
}

double FaceModel::largestTangent() const {
  return spherical_ ? (hasSlack_ ? 0.9 : 0.499) * kPi / inverseRadius() : HUGE_VAL;
}

void FaceModel::latentFromWhitened(const double* whitened, double* latent, double* direction) const {
  const int d = tangentCount();
  std::vector<double> v(whitened, whitened + d);
  if (!priorFactor_.empty())
    for (int i = 0; i < d; ++i) v[i] = dot(&priorFactor_[static_cast<size_t>(i) * d], whitened, i + 1);
  const double norm = std::sqrt(squaredNorm(v.data(), d)), most = largestTangent();
  if (norm > most)
    for (double& value : v) value *= most / norm;
  latentFromTangent(v.data(), latent, direction);
}

void FaceModel::tangentFromLatent(const double* latent, double* tangent) const {
  const int d = tangentCount();
  if (!spherical_) {
    for (int i = 0; i < d; ++i) tangent[i] = latent[i];
    return;
  }
  std::vector<double> z(latent, latent + identityCount_);
  reflect(z.data());
  const double sine = std::sqrt(squaredNorm(z.data(), d));
  const double scale = sine > 0 ? radius_ * std::atan2(sine, z[d]) / sine : 0;
  for (int i = 0; i < d; ++i) tangent[i] = scale * z[i];
  // Every direction leads to the antipode; the first axis is as good as any.
  if (sine == 0 && z[d] < 0) tangent[0] = radius_ * kPi;
}

void FaceModel::decodeCoefficients(const float* identity, const float* expression, float* coefficients) const {
  size_t c = 0;
  for (int32_t column : identityColumns_) coefficients[c++] = identity[column];
  for (int i = 0; i < expressionCount_; ++i) coefficients[c++] = expression ? expression[i] : 0.0f;
}

DecodeBasis FaceModel::gatherDecodeBasis(const std::vector<SurfacePoint>& points) const {
  DecodeBasis basis;
  basis.pointCount = static_cast<int>(points.size());
  basis.panelCount = (basis.pointCount + DecodeBasis::kPanel - 1) / DecodeBasis::kPanel;
  basis.columnCount = decodeBasis_.columnCount;
  basis.mean = AlignedBuffer<float>(static_cast<size_t>(basis.panelCount) * DecodeBasis::kRow);
  basis.floats = AlignedBuffer<float>(static_cast<size_t>(basis.panelCount) * basis.columnCount * DecodeBasis::kRow);
  for (size_t i = 0; i < points.size(); ++i) {
    for (int corner = 0; corner < 3; ++corner) {
      const float w = points[i].weights[corner];
      if (w == 0) continue;
      const size_t vertex = points[i].vertices[corner];
      for (int a = 0; a < 3; ++a) {
        basis.mean[basis.at(i, a)] += w * decodeBasis_.mean[decodeBasis_.at(vertex, a)];
        for (int c = 0; c < basis.columnCount; ++c) basis.floats[basis.at(i, a, c)] += w * packed(vertex, a, c);
      }
    }
  }
  return basis;
}

}  // namespace sfm
