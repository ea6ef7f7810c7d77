#include "core/FallbackBackend.h"

#include <string>
#include <utility>

#include "core/Error.h"

namespace sfm {

namespace {

// Why the first backend could not, if the second might.
bool mayFallBack(const std::exception_ptr& error, std::string* why) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    *why = e.what();
    return e.code() == ErrorCode::DEVICE_UNAVAILABLE || e.code() == ErrorCode::OUT_OF_MEMORY;
  } catch (...) {
    return false;
  }
}

// `call` is &Backend::fit or &Backend::decode. A call under way owns no backend: it must not be what ends one, on one of
// that backend's own threads.
template <class Batch, class Call>
void callEither(Backend* first, Backend* second, Call call, std::shared_ptr<Batch> batch,
                std::shared_ptr<const Cancellation> cancellation, Completion done) {
  const auto fallBack = [second, call, batch, cancellation, done](const std::string& why) {
    batch->warning = why;
    (second->*call)(batch, cancellation, done);
  };
  std::string why;
  try {
    (first->*call)(batch, cancellation, [fallBack, done, cancellation](std::exception_ptr error) {
      std::string reason;
      if (!error || cancellation->cancelled() || !mayFallBack(error, &reason)) return done(error);
      try {
        fallBack(reason);
      } catch (...) {
        done(std::current_exception());
      }
    });
    return;
  } catch (...) {
    if (!mayFallBack(std::current_exception(), &why)) throw;
  }
  fallBack(why);
}

}  // namespace

FallbackBackend::FallbackBackend(std::shared_ptr<Backend> first, std::shared_ptr<Backend> second)
    : first_(std::move(first)), second_(std::move(second)) {}

void FallbackBackend::fit(std::shared_ptr<FitBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                          Completion done) {
  callEither(first_.get(), second_.get(), &Backend::fit, std::move(batch), std::move(cancellation), std::move(done));
}

void FallbackBackend::decode(std::shared_ptr<DecodeBatch> batch, std::shared_ptr<const Cancellation> cancellation,
                             Completion done) {
  callEither(first_.get(), second_.get(), &Backend::decode, std::move(batch), std::move(cancellation), std::move(done));
}

}  // namespace sfm
