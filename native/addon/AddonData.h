// What one environment (the main thread or a worker thread) has of its own: backends, and the calls under way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "addon/Napi.h"
#include "core/Backend.h"
#include "cpu/CpuBackend.h"
#include "cuda/Devices.h"

namespace sfm::addon {

// What happens on the JavaScript thread when a call has ended: makes the values for the caller's callback.
using Deliver = std::function<napi_value(Napi::Env)>;

class AddonData {
 public:
  explicit AddonData(Napi::Env env);
  ~AddonData();
  static AddonData& of(Napi::Env env);

  CpuBackend& cpu() { return *cpu_; }
  // Asks the driver when called first.
  const cuda::Devices& cudaDevices();
  // The backend that goes by "auto", "cpu", "cuda" (all devices together) or "cuda:<number>". `warning` says why "auto"
  // makes do with the CPU where there is a device that cannot be used. Throws Error(DEVICE_UNAVAILABLE,
  // INVALID_ARGUMENT).
  Backend& backend(std::string device, std::string* warning);
  // Throws Error(INVALID_ARGUMENT) while calls are under way.
  void configure(const CpuKernels& kernels, int threads);

  // Registers a call and starts it. `start` is handed what it needs to run; when it has ended, `callback(null, value)`
  // or `callback(error)` is called on the JavaScript thread, never before this returns. Returns a number for `cancel`.
  uint32_t run(Napi::Function callback, Deliver deliver,
               const std::function<void(std::shared_ptr<const Cancellation>, Completion)>& start);
  void cancel(uint32_t call);
  size_t pendingCalls() const { return calls_.size(); }

  Napi::FunctionReference modelClass;

 private:
  struct Call {
    Napi::FunctionReference callback;
    Deliver deliver;
    std::shared_ptr<Cancellation> cancellation;
  };
  struct Ended {
    uint32_t call;
    std::exception_ptr error;
  };
  static void onEnded(Napi::Env env, Napi::Function, AddonData* data, Ended* ended);
  using Channel = Napi::TypedThreadSafeFunction<AddonData, Ended, &AddonData::onEnded>;

  void settle(Napi::Env env, const Ended& ended);
  static void tearDown(void* data);

  Napi::Env env_;
  Channel channel_;
  std::unordered_map<uint32_t, Call> calls_;
  uint32_t lastCall_ = 0;
  std::shared_ptr<CpuBackend> cpu_;
  std::optional<cuda::Devices> cudaDevices_;
  std::map<std::string, std::shared_ptr<Backend>> backends_;  // by name, but for the CPU; made when first asked for
};

// A JavaScript error with the `code` of lib/errors.ts.
Napi::Error toJavaScript(Napi::Env env, std::exception_ptr error);

// A function of a binding, with the core's exceptions turned into JavaScript's.
template <Napi::Value (*kBody)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return kBody(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJavaScript(info.Env(), std::current_exception());
  }
}

}  // namespace sfm::addon
