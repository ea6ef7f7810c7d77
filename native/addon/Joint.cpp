#include "addon/Joint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "addon/AddonData.h"
#include "addon/Arguments.h"
#include "cpu/PersonPosterior.h"

namespace sfm::addon {

namespace {

using Handle = std::shared_ptr<JointImages>;
constexpr napi_type_tag kTag = {0x6a1d07c1b2f34e55, 0x9c4e8a60d7315bf2};

Handle& handle(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<Handle>>().CheckTypeTag(&kTag))
    invalid("images: expected what a pass has returned");
  return *value.As<Napi::External<Handle>>().Data();
}

Handle& present(const Napi::Value& value) {
  Handle& images = handle(value);
  if (!images) invalid("images: another pass has taken them");
  return images;
}

// What both functions begin with: images, a weight and a scale for each, and a sum of evidence, of which the information
// may be absent.
struct Operands {
  explicit Operands(const Napi::CallbackInfo& info)
      : images(present(info[0])->images),
        weights(array<double>(info[1], "weights", images.size())),
        scales(array<double>(info[2], "scales", images.size())),
        shift(array<double>(info[4], "shift")),
        d(static_cast<int>(shift.size)) {
    if (!isAbsent(info[3])) information = array<double>(info[3], "information", packedTriangle(d));
    for (const JointImage& image : images)
      if (!image.shift.empty() && image.shift.size() != shift.size)
        invalid("shift: expected as many as the images have");
  }
  const std::vector<JointImage>& images;
  const ArrayView<double> weights, scales, shift;
  const int d;
  ArrayView<double> information = {};
};

template <class Real>
void addTimes(double weight, const Real* from, std::vector<double>& sum) {
  for (size_t c = 0; c < sum.size(); ++c) sum[c] += weight * static_cast<double>(from[c]);
}

Napi::Value add(const Napi::CallbackInfo& info) {
  const Operands from(info);
  double* information = const_cast<double*>(from.information.data);
  double* shift = const_cast<double*>(from.shift.data);
  std::vector<double> sum(from.information.size);  // the upper triangle
  for (size_t i = 0; i < from.images.size(); ++i) {
    const JointImage& image = from.images[i];
    const double weight = from.weights.data[i], scale = from.scales.data[i];
    if (weight == 0 || !image.information) continue;
    const UpperTriangle& told = image.information;
    told.twice ? addTimes(weight, told.twice, sum) : addTimes(weight, told.single, sum);
    for (size_t c = 0; c < image.shift.size(); ++c) shift[c] += weight * scale * image.shift[c];
  }
  if (!information) return info.Env().Undefined();
  std::vector<double> lower(sum.size());
  packLower(from.d, {nullptr, sum.data()}, lower.data());
  for (size_t c = 0; c < lower.size(); ++c) information[c] += lower[c];
  return info.Env().Undefined();
}

Napi::Value weigh(const Napi::CallbackInfo& info) {
  const Operands from(info);
  if (!from.information.data) invalid("information: expected a Float64Array");
  const double prior = number(info[5], "prior");
  if (!(prior > 0)) invalid("prior: expected a positive number");
  const bool moments = info[6].ToBoolean();
  const ArrayView<double> out = array<double>(info[7], "out", kEvidenceNumbers * from.images.size());
  const CpuKernels& kernels = AddonData::of(info.Env()).cpu().kernels();
  // What is read may share its memory with what is written.
  std::vector<double> numbers(out.size);
  const int d = from.d;
  std::vector<double> others;
  others.reserve(from.information.size);
  for (int i = 0; i < d; ++i)
    for (int j = i; j < d; ++j) others.push_back(from.information.data[packedTriangle(j) + i]);
  std::vector<WeighedImage> images;
  for (size_t i = 0; i < from.images.size(); ++i) {
    const JointImage& image = from.images[i];
    images.push_back({{image.information, image.shift.data()}, from.weights.data[i], from.scales.data[i]});
  }
  const EvidenceToWeigh evidence = {
      {{nullptr, others.data()}, from.shift.data}, prior, moments, images.data(), static_cast<int>(images.size())};
  if (!kernels.weighEvidence(d, evidence, numbers.data()))
    throw Error(ErrorCode::NUMERICAL, "what the images say of the person is not positive definite");
  std::copy(numbers.begin(), numbers.end(), const_cast<double*>(out.data));
  return info.Env().Undefined();
}

// personPosterior, in place.
Napi::Value personPosteriorOf(const Napi::CallbackInfo& info) {
  const ArrayView<float> share = array<float>(info[0], "share");
  if (share.size == 0 || share.size > 4096) invalid("share: expected up to 4,096 numbers");
  const int d = static_cast<int>(share.size);
  const ArrayView<float> information = array<float>(info[1], "information", packedTriangle(d)),
                         shift = array<float>(info[2], "shift", share.size);
  // Copies: what they are computed from may change at any time where memory is shared.
  const std::vector<float> shares(share.data, share.data + share.size);
  for (const float value : shares)
    if (!(value >= 0 && value <= 1)) invalid("share: expected numbers from 0 to 1");
  std::vector<double> s(information.data, information.data + information.size), h(shift.data, shift.data + shift.size);
  personPosterior(AddonData::of(info.Env()).cpu().kernels(), d, shares.data(), s.data(), h.data());
  std::copy(s.begin(), s.end(), const_cast<float*>(information.data));
  std::copy(h.begin(), h.end(), const_cast<float*>(shift.data));
  return info.Env().Undefined();
}

// Before the garbage collector comes by: the next joint fit has use for their memory.
Napi::Value release(const Napi::CallbackInfo& info) {
  handle(info[0]).reset();
  return info.Env().Undefined();
}

}  // namespace

Napi::Value handleOf(Napi::Env env, std::shared_ptr<JointImages> images) {
  auto external =
      Napi::External<Handle>::New(env, new Handle(std::move(images)), [](Napi::Env, Handle* own) { delete own; });
  external.TypeTag(&kTag);
  return external;
}

std::shared_ptr<JointImages> takeImages(const Napi::Value& value) {
  return isAbsent(value) ? nullptr : std::move(present(value));
}

Napi::Object defineJoint(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("add", Napi::Function::New(env, guarded<add>, "add"));
  object.Set("personPosterior", Napi::Function::New(env, guarded<personPosteriorOf>, "personPosterior"));
  object.Set("release", Napi::Function::New(env, guarded<release>, "release"));
  object.Set("weigh", Napi::Function::New(env, guarded<weigh>, "weigh"));
  return object;
}

}  // namespace sfm::addon
