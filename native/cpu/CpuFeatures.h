// What this processor and its operating system support.
#pragma once

namespace sfm {

bool hasAvx2();    // with FMA and F16C
bool hasAvx512();  // F, BW, DQ and VL
bool hasAvx512Bf16();  // and products of bf16
// AVX-512 and matrix tiles of bf16, which the operating system must grant: asks it to.
bool hasAmx();
bool hasNeon();
bool hasPortable();

}  // namespace sfm
