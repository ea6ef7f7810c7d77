// The model's JavaScript object: owns the packed model and its schemes, and starts calls on them.
#pragma once

#include <memory>
#include <vector>

#include "addon/Napi.h"
#include "core/Batch.h"

namespace sfm::addon {

class NativeModel : public Napi::ObjectWrap<NativeModel> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit NativeModel(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  // addScheme({ indices, weights, noiseFactors, offsets?, correlatedNoise? }) -> scheme number
  Napi::Value addScheme(const Napi::CallbackInfo& info);
  // fit(scheme, options, points, confidence | null, cameras, callback, joint?) -> call number
  Napi::Value fit(const Napi::CallbackInfo& info);
  // decode(scheme | -1, identity, expression | null, poses | null, { normals, device, precision }, sharedOut | null,
  // callback) -> call number
  Napi::Value decode(const Napi::CallbackInfo& info);
  // decodeSync(scheme | -1, identity, expression | null, poses | null, out)
  Napi::Value decodeSync(const Napi::CallbackInfo& info);
  // fromWhitened(coordinates) -> { identity, embedding }
  Napi::Value fromWhitened(const Napi::CallbackInfo& info);
  // identityPrior() -> { factor: L [D,D] of v = L x, radius }
  Napi::Value identityPrior(const Napi::CallbackInfo& info);
  // decodeFlops() -> operations of decoding a face on the CPU's vectors
  Napi::Value decodeFlops(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  const std::shared_ptr<const FaceModel>& model() const;
  std::shared_ptr<const LandmarkScheme> scheme(const Napi::Value& value) const;
  std::shared_ptr<DecodeBatch> decodeBatch(const Napi::CallbackInfo& info) const;
  // Tells V8 what its collector cannot see: a small object may hold 14 MB.
  void reportMemory(Napi::Env env, size_t bytes);

  std::shared_ptr<const FaceModel> model_;
  std::vector<std::shared_ptr<const LandmarkScheme>> schemes_;
  size_t reportedBytes_ = 0;
};

}  // namespace sfm::addon
