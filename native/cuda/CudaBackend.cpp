#include "cuda/CudaBackend.h"

#include <algorithm>
#include <utility>

#include "cuda/DeviceScheme.h"
#include "cuda/DeviceWorker.h"
#include "cuda/FitKernel.h"

namespace sfm::cuda {

namespace {

// Threads that copy between pinned and ordinary memory: a few reach what the memory gives.
constexpr int kCopyThreads = 8;

class CudaBackend final : public Backend {
 public:
  CudaBackend(const std::vector<DeviceInfo>& devices, std::shared_ptr<CpuBackend> cpu, int queueLimit)
      : devices_(devices),
        cpu_(std::move(cpu)),
        copier_(std::min(kCopyThreads, ThreadPool::availableParallelism()), static_cast<int>(devices.size()) + 1),
        queue_(static_cast<int>(devices.size()), queueLimit) {
    try {
      for (const DeviceInfo& device : devices)
        workers_.push_back(std::make_unique<DeviceWorker>(device, queue_, cpu_, copier_));
    } catch (...) {
      queue_.stop();
      throw;
    }
  }
  ~CudaBackend() override { queue_.stop(); }

  const char* name() const override { return "cuda"; }

  void fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation,
           Completion done) override {
    if (!takes(*batch)) return cpu_->fit(std::move(batch), std::move(cancellation), std::move(done));
    queue_.add(std::make_shared<Work>(std::move(batch), std::move(cancellation), std::move(done)));
  }

  void decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
              Completion done) override {
    queue_.add(std::make_shared<Work>(std::move(batch), std::move(cancellation), std::move(done)));
  }

  void decodeNow(DecodeBatch& batch) override { cpu_->decodeNow(batch); }

 private:
  bool takes(const FitBatch& batch) const {
    if (batch.linearise || batch.precise || batch.joint) return false;
    const DeviceFitModel sizes = fitSizes(*batch.model, batch.scheme->basis);
    return std::all_of(devices_.begin(), devices_.end(), [&](const DeviceInfo& device) {
      return supportsFit(sizes, batch.options, batch.space, device.ordinal);
    });
  }

  const std::vector<DeviceInfo> devices_;
  const std::shared_ptr<CpuBackend> cpu_;
  ThreadPool copier_;
  WorkQueue queue_;
  std::vector<std::unique_ptr<DeviceWorker>> workers_;  // last: they use all the others
};

}  // namespace

std::unique_ptr<Backend> makeBackend(const std::vector<DeviceInfo>& devices, std::shared_ptr<CpuBackend> cpu,
                                     int queueLimit) {
  return std::make_unique<CudaBackend>(devices, std::move(cpu), queueLimit);
}

}  // namespace sfm::cuda
