// A chunk of faces to decode, from the host to the device and back.
#pragma once

#include "cuda/Decode.h"
#include "cuda/Staging.h"
#include "cuda/WorkQueue.h"

namespace sfm::cuda {

// Faces of that call that should be computed at once.
int decodeCapacity(const Work& work, size_t stagingBytes);

// Appends copies and kernels to the staging's stream. Throws Error.
void startDecode(Staging& staging, const Chunk& chunk);

// After the work has ended: vertices and normals to their callers. Settles the chunk; throws before.
void finishDecode(const Staging& staging, const Chunk& chunk);

}  // namespace sfm::cuda
