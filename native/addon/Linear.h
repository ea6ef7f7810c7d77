// Double-precision linear algebra for JavaScript: synchronous functions on typed arrays.
#pragma once

#include "addon/Napi.h"

namespace sfm::addon {

// The object `linear` of the module. Matrices are row-major; sizes are checked against the arrays' lengths.
//   multiply(a, rows, columns, transposed, b, rows, columns, transposed, add, out)   a, b: Float64Array or Float32Array
//   gram(a, rows, columns, add, out)
//   cholesky(a, n)                                in place
//   solve(l, n, transposed, b, columns)           in place
//   logDeterminant(l, n) -> number
//   symmetricEigen(a, n, values, vectors)
//   orthonormalise(a, rows, columns, tolerance, out) -> Uint8Array, whether a column was kept; out: [rows, rank], then rest
Napi::Object defineLinear(Napi::Env env);

}  // namespace sfm::addon
