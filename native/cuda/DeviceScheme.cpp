#include "cuda/DeviceScheme.h"

#include <cstring>
#include <vector>

#include "cuda/Layout.h"

namespace sfm::cuda {

namespace {

// Arrays gathered on the host, to go to the device in one piece.
class Gathered {
 public:
  template <class T>
  size_t add(const T* from, size_t count) {
    const size_t place = layout_.add<T>(count);
    bytes_.resize(layout_.bytes());
    if (count > 0) std::memcpy(bytes_.data() + place, from, count * sizeof(T));
    return place;
  }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  Layout layout_;
  std::vector<char> bytes_;
};

}  // namespace

DeviceFitModel fitSizes(const FaceModel& model, const LandmarkBasis& basis) {
  DeviceFitModel sizes;
  sizes.landmarkCount = basis.landmarkCount;
  sizes.presentCount = static_cast<int>(basis.present.size());
  sizes.identityCount = model.identityCount();
  sizes.tangentCount = basis.tangentCount;
  sizes.expressionCount = basis.expressionCount;
  sizes.nuisanceCount = basis.nuisanceCount;
  sizes.nuisanceStart = basis.nuisanceStart;
  sizes.expressionStart = basis.expressionStart;
  sizes.stride = basis.stride;
  sizes.spherical = model.spherical();
  sizes.radius = model.radius();
  sizes.inverseRadius = model.inverseRadius();
  sizes.largestTangent = model.largestTangent();
  return sizes;
}

DeviceScheme::DeviceScheme(const FaceModel& model, const LandmarkBasis& basis, cudaStream_t stream)
    : view_(fitSizes(model, basis)) {
  const size_t e = static_cast<size_t>(basis.expressionCount);
  Gathered gathered;
  const size_t rows = gathered.add(basis.rows.data(), basis.rows.size()),
               mean = gathered.add(basis.mean.data(), basis.mean.size()),
               slack = gathered.add(basis.slack.data(), basis.slack.size()),
               noise = gathered.add(basis.noiseFactors.data(), basis.noiseFactors.size()),
               present = gathered.add(basis.present.data(), basis.present.size()),
               precision = gathered.add(model.priorPrecision().data(), model.priorPrecision().size()),
               reflector = gathered.add(model.reflector().data(), model.reflector().size()),
               bounds = gathered.add(model.expressionBounds(), 2 * e),
               stddev = gathered.add(model.expressionStddev(), e), centre = gathered.add(model.expressionMean(), e);
  memory_ = DeviceMemory(gathered.bytes().size());
  check(
      cudaMemcpyAsync(memory_.data(), gathered.bytes().data(), gathered.bytes().size(), cudaMemcpyHostToDevice, stream),
      "copying a landmark scheme to a device");
  check(cudaStreamSynchronize(stream), "copying a landmark scheme to a device");
  void* const data = memory_.data();
  view_.rows = at<const float>(data, rows);
  view_.mean = at<const float>(data, mean);
  view_.slack = at<const float>(data, slack);
  view_.noiseFactors = at<const float>(data, noise);
  view_.present = at<const int>(data, present);
  view_.priorPrecision = model.priorPrecision().empty() ? nullptr : at<const double>(data, precision);
  view_.reflector = model.reflector().empty() ? nullptr : at<const double>(data, reflector);
  view_.expressionBounds = at<const float>(data, bounds);
  view_.expressionStddev = at<const float>(data, stddev);
  view_.expressionMean = at<const float>(data, centre);
}

}  // namespace sfm::cuda
