// IEEE 754 binary16 to binary32, exactly, without hardware support.
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/Platform.h"

namespace sfm {

SFM_HD float halfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  uint32_t bits;
  if (magnitude >= 0x7c00u) {
    bits = sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13);
  } else if (magnitude >= 0x0400u) {
    bits = sign | ((magnitude + 0x1c000u) << 13);
  } else {
    // Subnormal: magnitude * 2^-24, exact in a float.
    const float value = static_cast<float>(magnitude) * 5.9604644775390625e-8f;
    memcpy(&bits, &value, sizeof bits);
    bits |= sign;
  }
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

}  // namespace sfm
