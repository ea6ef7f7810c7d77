// Typed errors. The names are the `code`s of lib/errors.ts; a test holds the two tables together.
#pragma once

#include <stdexcept>
#include <string>

namespace sfm {

#define SFM_ERROR_CODES(X) \
  X(INVALID_ARGUMENT)      \
  X(INVALID_MODEL)         \
  X(INVALID_INPUT)         \
  X(UNKNOWN_SCHEME)        \
  X(DISPOSED)              \
  X(ABORTED)               \
  X(QUEUE_FULL)            \
  X(OUT_OF_MEMORY)         \
  X(NUMERICAL)             \
  X(DEVICE_UNAVAILABLE)    \
  X(NATIVE_LOAD_FAILED)    \
  X(MISSING_PEER)          \
  X(IO)                    \
  X(INTERNAL)

enum class ErrorCode {
#define SFM_ENUMERATOR(name) name,
  SFM_ERROR_CODES(SFM_ENUMERATOR)
#undef SFM_ENUMERATOR
};

const char* errorCodeName(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace sfm
