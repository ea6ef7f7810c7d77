// Node-API's C++ wrapper, as every file here includes it.
#pragma once

// Nothing can be thrown into the JavaScript of a worker that is being terminated; without this the wrapper ends the
// process instead.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>
