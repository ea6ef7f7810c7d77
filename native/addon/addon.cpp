// The module: NativeModel, and what this machine and build can do.
#include "addon/AddonData.h"
#include "addon/Arguments.h"
#include "addon/Joint.h"
#include "addon/Linear.h"
#include "addon/Napi.h"
#include "addon/NativeModel.h"
#include "cpu/MachineLimits.h"

namespace sfm::addon {

namespace {

Napi::Value errorCodes(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
#define SFM_APPEND(name) names.Set(names.Length(), Napi::String::New(info.Env(), #name));
  SFM_ERROR_CODES(SFM_APPEND)
#undef SFM_APPEND
  return names;
}

// The CPU as a device: instruction sets available here (the one in use first), threads, calls under way.
Napi::Value cpu(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AddonData& data = AddonData::of(env);
  Napi::Object result = Napi::Object::New(env);
  Napi::Array kernels = Napi::Array::New(env);
  for (const CpuKernels* k : cpuKernels()) kernels.Set(kernels.Length(), Napi::String::New(env, k->name));
  result.Set("kernels", kernels);
  result.Set("inUse", Napi::String::New(env, data.cpu().kernels().name));
  result.Set("threads", Napi::Number::New(env, data.cpu().threadCount()));
  result.Set("pendingCalls", Napi::Number::New(env, static_cast<double>(data.pendingCalls())));
  return result;
}

// The CUDA devices that can be used, and what is wrong with one that cannot.
Napi::Value cuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const sfm::cuda::Devices& devices = AddonData::of(env).cudaDevices();
  Napi::Array usable = Napi::Array::New(env);
  for (const sfm::cuda::DeviceInfo& device : devices.usable) {
    Napi::Object each = Napi::Object::New(env);
    each.Set("ordinal", Napi::Number::New(env, device.ordinal));
    each.Set("model", Napi::String::New(env, device.name));
    each.Set("memory", Napi::Number::New(env, static_cast<double>(device.memory)));
    each.Set("computeCapability",
             Napi::String::New(env, std::to_string(device.major) + "." + std::to_string(device.minor)));
    each.Set("multiprocessors", Napi::Number::New(env, device.multiprocessors));
    usable.Set(usable.Length(), each);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("usable", usable);
  result.Set("trouble", Napi::String::New(env, devices.trouble));
  return result;
}

// limits(callback): { flops, storedBytes } a second that all threads together could do at most. Returns a number for
// `cancel`.
Napi::Value limits(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  AddonData& data = AddonData::of(env);
  const auto found = std::make_shared<MachineLimits>();
  const uint32_t id = data.run(
      function(info[0], "callback"),
      [found](Napi::Env env) -> napi_value {
        Napi::Object result = Napi::Object::New(env);
        result.Set("flops", Napi::Number::New(env, found->flops));
        result.Set("storedBytes", Napi::Number::New(env, found->storedBytes));
        return result;
      },
      [&](std::shared_ptr<const Cancellation> cancellation, Completion done) {
        measureLimits(data.cpu().pool(), data.cpu().kernels(), found, std::move(cancellation), std::move(done));
      });
  return Napi::Number::New(env, id);
}

// configureCpu(threads, kernels)
Napi::Value configureCpu(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const int threads = integer(info[0], "threads", 1, 1024);
    if (!info[1].IsString()) invalid("kernels: expected a string");
    const CpuKernels* kernels = findCpuKernels(info[1].As<Napi::String>().Utf8Value().c_str());
    if (!kernels)
      throw Error(ErrorCode::DEVICE_UNAVAILABLE, "kernels: this processor does not have that instruction set");
    AddonData::of(env).configure(*kernels, threads);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJavaScript(env, std::current_exception());
  }
  return env.Undefined();
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  if (info[0].IsNumber()) AddonData::of(info.Env()).cancel(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  AddonData* data = nullptr;
  try {
    data = new AddonData(env);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJavaScript(env, std::current_exception());
  }
  env.SetInstanceData(data);
  Napi::Function modelClass = NativeModel::define(env);
  data->modelClass = Napi::Persistent(modelClass);
  exports.Set("NativeModel", modelClass);
  exports.Set("errorCodes", Napi::Function::New(env, errorCodes, "errorCodes"));
  exports.Set("cpu", Napi::Function::New(env, cpu, "cpu"));
  exports.Set("cuda", Napi::Function::New(env, cuda, "cuda"));
  exports.Set("configureCpu", Napi::Function::New(env, configureCpu, "configureCpu"));
  exports.Set("limits", Napi::Function::New(env, guarded<limits>, "limits"));
  exports.Set("linear", defineLinear(env));
  exports.Set("joint", defineJoint(env));
  exports.Set("cancel", Napi::Function::New(env, cancel, "cancel"));
  return exports;
}

}  // namespace

}  // namespace sfm::addon

Napi::Object initialise(Napi::Env env, Napi::Object exports) { return sfm::addon::init(env, exports); }

NODE_API_MODULE(sphere_face_model, initialise)
