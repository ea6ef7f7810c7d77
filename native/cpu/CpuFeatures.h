// What this processor and its operating system support.
#pragma once

namespace sfm {

bool hasAvx2();    // with FMA and F16C
bool hasAvx512();  // F, BW, DQ and VL
bool hasNeon();
bool hasPortable();

}  // namespace sfm
