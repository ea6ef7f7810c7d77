#include "addon/Joint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "addon/AddonData.h"
#include "addon/Arguments.h"

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

// What both functions begin with: images, a weight and a scale for each, and a sum of evidence.
struct Operands {
  explicit Operands(const Napi::CallbackInfo& info)
      : images(present(info[0])->images),
        weights(array<double>(info[1], "weights", images.size())),
        scales(array<double>(info[2], "scales", images.size())),
        shift(array<double>(info[4], "shift")),
        information(array<double>(info[3], "information", packedTriangle(static_cast<int>(shift.size)))) {
    for (const JointImage& image : images)
      if (!image.shift.empty() && image.shift.size() != shift.size)
        invalid("shift: expected as many as the images have");
  }
  const std::vector<JointImage>& images;
  const ArrayView<double> weights, scales, shift, information;
};

Napi::Value add(const Napi::CallbackInfo& info) {
  const Operands from(info);
  double* information = const_cast<double*>(from.information.data);
  double* shift = const_cast<double*>(from.shift.data);
  for (size_t i = 0; i < from.images.size(); ++i) {
    const JointImage& image = from.images[i];
    const double weight = from.weights.data[i], scale = from.scales.data[i];
    if (weight == 0 || image.shift.empty()) continue;
    for (size_t c = 0; c < image.information.size(); ++c) information[c] += weight * image.information[c];
    for (size_t c = 0; c < image.shift.size(); ++c) shift[c] += weight * scale * image.shift[c];
  }
  return info.Env().Undefined();
}

Napi::Value weigh(const Napi::CallbackInfo& info) {
  const Operands from(info);
  const double prior = number(info[5], "prior");
  if (!(prior > 0)) invalid("prior: expected a positive number");
  const bool moments = info[6].ToBoolean();
  const ArrayView<double> out = array<double>(info[7], "out", kEvidenceNumbers * from.images.size());
  const CpuKernels& kernels = AddonData::of(info.Env()).cpu().kernels();
  // What is read may share its memory with what is written.
  std::vector<double> numbers(out.size);
  std::vector<WeighedImage> images;
  for (size_t i = 0; i < from.images.size(); ++i) {
    const JointImage& image = from.images[i];
    const bool present = !image.shift.empty();
    images.push_back({{present ? image.information.data() : nullptr, image.shift.data()},
                      from.weights.data[i],
                      from.scales.data[i]});
  }
  const EvidenceToWeigh evidence = {
      {from.information.data, from.shift.data}, prior, moments, images.data(), static_cast<int>(images.size())};
  if (!kernels.weighEvidence(static_cast<int>(from.shift.size), evidence, numbers.data()))
    throw Error(ErrorCode::NUMERICAL, "what the images say of the person is not positive definite");
  std::copy(numbers.begin(), numbers.end(), const_cast<double*>(out.data));
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
  object.Set("release", Napi::Function::New(env, guarded<release>, "release"));
  object.Set("weigh", Napi::Function::New(env, guarded<weigh>, "weigh"));
  return object;
}

}  // namespace sfm::addon
