#include "core/Error.h"

namespace sfm {

const char* errorCodeName(ErrorCode code) {
  switch (code) {
#define SFM_CASE(name)  \
  case ErrorCode::name: \
    return #name;
    SFM_ERROR_CODES(SFM_CASE)
#undef SFM_CASE
  }
  return "INTERNAL";
}

}  // namespace sfm
