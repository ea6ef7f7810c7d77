#include "addon/AddonData.h"

#include <cstdlib>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "core/Error.h"
#include "core/FallbackBackend.h"
#include "cuda/CudaBackend.h"

namespace sfm::addon {

namespace {

// Calls that may wait in one environment. Each holds a copy of its inputs, so this bounds memory as well.
constexpr int kQueueLimit = 65536;

// SFM_CPU_KERNELS chooses an instruction set by name, for tests and for comparisons.
const CpuKernels& chosenKernels() {
  const char* name = std::getenv("SFM_CPU_KERNELS");
  if (!name || !*name) return *cpuKernels().front();
  const CpuKernels* kernels = findCpuKernels(name);
  if (!kernels)
    throw Error(ErrorCode::DEVICE_UNAVAILABLE,
                std::string("SFM_CPU_KERNELS: this processor has no instruction set ") + name);
  return *kernels;
}

int chosenThreads() {
  const char* text = std::getenv("SFM_THREADS");
  if (!text || !*text) return ThreadPool::availableParallelism();
  char* end = nullptr;
  const long count = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || count < 1 || count > 1024)
    throw Error(ErrorCode::INVALID_ARGUMENT,
                std::string("SFM_THREADS: expected an integer from 1 to 1024, received ") + text);
  return static_cast<int>(count);
}

// What "auto" stands for: SFM_DEVICE, for tests and for those who know their machine.
std::string chosenDevice() {
  const char* name = std::getenv("SFM_DEVICE");
  return name && *name ? name : "auto";
}

std::vector<cuda::DeviceInfo> chosenFrom(const cuda::Devices& devices, const std::string& name) {
  std::vector<cuda::DeviceInfo> chosen;
  if (name != "cuda" && name.rfind("cuda:", 0) != 0)
    throw Error(ErrorCode::INVALID_ARGUMENT, "device: expected auto, cpu, cuda or cuda:<number>, received " + name);
  for (const cuda::DeviceInfo& device : devices.usable)
    if (name == "cuda" || name == "cuda:" + std::to_string(device.ordinal)) chosen.push_back(device);
  if (chosen.empty())
    throw Error(ErrorCode::DEVICE_UNAVAILABLE, "device: " + name + " is not available: " +
                                                   (!devices.trouble.empty() ? devices.trouble
                                                    : devices.usable.empty() ? "no CUDA device was found"
                                                                             : "there is no device of that number"));
  return chosen;
}

}  // namespace

Napi::Error toJavaScript(Napi::Env env, std::exception_ptr error) {
  ErrorCode code = ErrorCode::INTERNAL;
  std::string message;
  try {
    std::rethrow_exception(error);
  } catch (const Napi::Error& e) {
    return e;
  } catch (const Error& e) {
    code = e.code();
    message = e.what();
  } catch (const std::bad_alloc&) {
    code = ErrorCode::OUT_OF_MEMORY;
    message = "memory could not be had";
  } catch (const std::system_error& e) {
    code = ErrorCode::OUT_OF_MEMORY;
    message = std::string("the system has no more threads to give: ") + e.what();
  } catch (const std::exception& e) {
    message = e.what();
  } catch (...) {
    message = "unknown native error";
  }
  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", Napi::String::New(env, errorCodeName(code)));
  return result;
}

AddonData::AddonData(Napi::Env env) : env_(env) {
  // What may fail comes first: a hook that is added must find this object. And the channel is made before the hook, so
  // that the hook, which ends the threads, runs before the channel's own.
  cpu_ = std::make_shared<CpuBackend>(chosenKernels(), chosenThreads(), kQueueLimit);
  channel_ = Channel::New(env, "sphere-face-model", 0, 1, this);
  channel_.Unref(env);
  napi_add_env_cleanup_hook(env, &AddonData::tearDown, this);
}

AddonData::~AddonData() = default;

AddonData& AddonData::of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

void AddonData::tearDown(void* pointer) {
  AddonData* data = static_cast<AddonData*>(pointer);
  for (auto& [id, call] : data->calls_) call.cancellation->cancel();
  // These join: from here on nothing native runs for this environment. The CPU last, which the others hand work to.
  data->backends_.clear();
  data->cpu_.reset();
  data->calls_.clear();
  data->modelClass.Reset();
  data->channel_.Abort();
}

void AddonData::configure(const CpuKernels& kernels, int threads) {
  if (!calls_.empty()) throw Error(ErrorCode::INVALID_ARGUMENT, "threads: cannot be changed while calls are under way");
  // The old one goes only when the new one stands: threads may not be had.
  auto cpu = std::make_shared<CpuBackend>(kernels, threads, kQueueLimit);
  backends_.clear();
  cpu_ = std::move(cpu);
}

const cuda::Devices& AddonData::cudaDevices() {
  if (!cudaDevices_) cudaDevices_ = cuda::findDevices();
  return *cudaDevices_;
}

Backend& AddonData::backend(std::string device, std::string* warning) {
  if (!cpu_) throw Error(ErrorCode::ABORTED, "the environment is shutting down");
  if (device == "auto") device = chosenDevice();
  if (device == "cpu") return *cpu_;
  const cuda::Devices& devices = cudaDevices();
  if (device == "auto" && devices.usable.empty()) {
    *warning = devices.trouble;
    return *cpu_;
  }
  std::shared_ptr<Backend>& backend = backends_[device];
  if (backend) return *backend;
  if (device == "auto") {
    std::string none;
    this->backend("cuda", &none);
    // A reference into a map outlives what is added to it.
    backend = std::make_shared<FallbackBackend>(backends_["cuda"], cpu_);
    return *backend;
  }
  backend = cuda::makeBackend(chosenFrom(devices, device), cpu_, kQueueLimit);
  return *backend;
}

uint32_t AddonData::run(Napi::Function callback, Deliver deliver,
                        const std::function<void(std::shared_ptr<const Cancellation>, Completion)>& start) {
  if (!cpu_) throw Error(ErrorCode::ABORTED, "the environment is shutting down");
  const uint32_t id = ++lastCall_;
  auto cancellation = std::make_shared<Cancellation>();
  calls_.emplace(id, Call{Napi::Persistent(callback), std::move(deliver), cancellation});
  if (calls_.size() == 1) channel_.Ref(env_);
  try {
    start(cancellation, [channel = channel_, id](std::exception_ptr error) mutable {
      auto* ended = new Ended{id, error};
      // Fails only while the environment goes down; then nobody is left to be told.
      if (channel.NonBlockingCall(ended) != napi_ok) delete ended;
    });
  } catch (...) {
    calls_.erase(id);
    if (calls_.empty()) channel_.Unref(env_);
    throw;
  }
  return id;
}

void AddonData::cancel(uint32_t call) {
  const auto found = calls_.find(call);
  if (found != calls_.end()) found->second.cancellation->cancel();
}

void AddonData::onEnded(Napi::Env env, Napi::Function, AddonData* data, Ended* ended) {
  const std::unique_ptr<Ended> owned(ended);
  if (static_cast<napi_env>(env) != nullptr) data->settle(env, *ended);
}

void AddonData::settle(Napi::Env env, const Ended& ended) {
  const Napi::HandleScope scope(env);
  const auto found = calls_.find(ended.call);
  if (found == calls_.end()) return;
  Call call = std::move(found->second);
  calls_.erase(found);
  if (calls_.empty()) channel_.Unref(env);
  std::exception_ptr error = ended.error;
  napi_value value = nullptr;
  if (!error && call.cancellation->cancelled())
    error = std::make_exception_ptr(Error(ErrorCode::ABORTED, "the call was aborted"));
  if (!error) {
    try {
      value = call.deliver(env);
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error)
    call.callback.Call({toJavaScript(env, error).Value()});
  else
    call.callback.Call({env.Null(), value});
}

}  // namespace sfm::addon
