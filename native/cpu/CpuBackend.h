// The CPU as a backend: one problem per thread for fits, blocks of faces and points for decoding.
#pragma once

#include <memory>
#include <vector>

#include "core/Backend.h"
#include "cpu/CpuKernels.h"
#include "cpu/ThreadPool.h"

namespace sfm {

class CpuBackend final : public Backend {
 public:
  CpuBackend(const CpuKernels& kernels, int threads, int queueLimit);
  ~CpuBackend() override;

  const char* name() const override { return "cpu"; }
  const CpuKernels& kernels() const { return kernels_; }
  int threadCount() const { return pool_.threadCount(); }
  ThreadPool& pool() { return pool_; }

  void fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation, Completion done) override;
  void decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
              Completion done) override;
  void decodeNow(DecodeBatch& batch) override;

  // The posteriors of problems of a batch that were solved elsewhere, from what the solver left in their arrays.
  void tellPosteriors(std::shared_ptr<FitBatch> batch, std::vector<int> problems,
                      std::shared_ptr<const Cancellation> cancellation, Completion done);

 private:
  struct Workspace;
  struct Worker;

  void fitOne(FitBatch& batch, int i, int worker);
  void tellPosterior(const FitBatch& batch, FitSolution& solution) const;
  void passOne(FitBatch& batch, int i, int worker);

  const CpuKernels& kernels_;
  std::vector<std::unique_ptr<Worker>> workers_;
  ThreadPool pool_;  // last: its threads end before what they use
};

}  // namespace sfm
