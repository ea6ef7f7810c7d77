// A backend that another stands in for: what the first cannot do for want of memory, or because its device is gone, the
// second does, and the batch says so.
#pragma once

#include <memory>

#include "core/Backend.h"

namespace sfm {

class FallbackBackend final : public Backend {
 public:
  // The second must outlive the first's calls: end the first before it.
  FallbackBackend(std::shared_ptr<Backend> first, std::shared_ptr<Backend> second);

  const char* name() const override { return first_->name(); }
  void fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation, Completion done) override;
  void decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
              Completion done) override;
  void decodeNow(DecodeBatch& batch) override { second_->decodeNow(batch); }

 private:
  const std::shared_ptr<Backend> first_, second_;
};

}  // namespace sfm
