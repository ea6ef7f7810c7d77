#include "addon/Linear.h"

#include <algorithm>
#include <limits>
#include <string>

#include "addon/AddonData.h"
#include "addon/Arguments.h"
#include "linear/Cholesky.h"
#include "linear/Orthonormalise.h"
#include "linear/Product.h"
#include "linear/Symmetric.h"
#include "linear/SymmetricEigen.h"

namespace sfm::addon {

namespace {

using linear::Engine;
using linear::Operand;
using linear::Update;

Engine engineOf(Napi::Env env) {
  CpuBackend& cpu = AddonData::of(env).cpu();
  return {linear::linearKernelsFor(cpu.kernels().name), linear::Parallel(&cpu.pool())};
}

int64_t sizeOf(const Napi::Value& value, const char* name) {
  return integer(value, name, 0, std::numeric_limits<int>::max());
}

ArrayView<double> matrix(const Napi::Value& value, const char* name, int64_t rows, int64_t columns) {
  return array<double>(value, name, static_cast<size_t>(rows) * static_cast<size_t>(columns));
}

// A matrix in memory that results are written to.
double* target(const Napi::Value& value, const char* name, int64_t rows, int64_t columns) {
  return const_cast<double*>(matrix(value, name, rows, columns).data);
}

Operand operand(const Napi::Value& value, const char* name, int64_t rows, int64_t columns) {
  if (!isArray<float>(value)) return linear::rowMajor(matrix(value, name, rows, columns).data, rows, columns, columns);
  const size_t size = static_cast<size_t>(rows) * static_cast<size_t>(columns);
  return linear::rowMajor(array<float>(value, name, size).data, rows, columns, columns);
}

// Whether memory to read and memory to write overlap.
bool overlap(const void* read, size_t readBytes, const void* written, size_t writtenBytes) {
  const auto a = reinterpret_cast<uintptr_t>(read), b = reinterpret_cast<uintptr_t>(written);
  return readBytes > 0 && writtenBytes > 0 && a < b + writtenBytes && b < a + readBytes;
}

void requireApart(const Operand& read, const double* written, int64_t size, const char* name) {
  const size_t count = static_cast<size_t>(read.rows * read.columns);
  const bool floats = read.floats != nullptr;
  const void* from = floats ? static_cast<const void*>(read.floats) : read.doubles;
  if (overlap(from, count * (floats ? sizeof(float) : sizeof(double)), written,
              static_cast<size_t>(size) * sizeof(double)))
    invalid(std::string(name) + ": expected memory apart from that of the result");
}

Napi::Value multiply(const Napi::CallbackInfo& info) {
  const int64_t aRows = sizeOf(info[1], "a.rows"), aColumns = sizeOf(info[2], "a.columns");
  const int64_t bRows = sizeOf(info[5], "b.rows"), bColumns = sizeOf(info[6], "b.columns");
  Operand a = operand(info[0], "a", aRows, aColumns), b = operand(info[4], "b", bRows, bColumns);
  if (info[3].ToBoolean()) a = a.transposed();
  if (info[7].ToBoolean()) b = b.transposed();
  if (a.columns != b.rows) invalid("b: expected as many rows as a has columns");
  double* out = target(info[9], "out", a.rows, b.columns);
  requireApart(a, out, a.rows * b.columns, "a");
  requireApart(b, out, a.rows * b.columns, "b");
  linear::multiply(engineOf(info.Env()), a, b, info[8].ToBoolean() ? Update::kAdd : Update::kSet, out, b.columns);
  return info.Env().Undefined();
}

Napi::Value gram(const Napi::CallbackInfo& info) {
  const int64_t rows = sizeOf(info[1], "rows"), columns = sizeOf(info[2], "columns");
  const Operand a = operand(info[0], "a", rows, columns);
  double* out = target(info[4], "out", columns, columns);
  requireApart(a, out, columns * columns, "a");
  linear::gram(engineOf(info.Env()), a, info[3].ToBoolean() ? Update::kAdd : Update::kSet, out, columns);
  return info.Env().Undefined();
}

Napi::Value cholesky(const Napi::CallbackInfo& info) {
  const int64_t n = sizeOf(info[1], "n");
  double* a = target(info[0], "a", n, n);
  if (!linear::isSymmetric(a, n)) invalid("a: expected a symmetric matrix");
  linear::cholesky(engineOf(info.Env()), a, n);
  return info.Env().Undefined();
}

Napi::Value solve(const Napi::CallbackInfo& info) {
  const int64_t n = sizeOf(info[1], "n"), columns = sizeOf(info[4], "columns");
  const double* l = matrix(info[0], "l", n, n).data;
  double* b = target(info[3], "b", n, columns);
  requireApart(linear::rowMajor(l, n, n, n), b, n * columns, "l");
  (info[2].ToBoolean() ? linear::solveLowerTransposed : linear::solveLower)(engineOf(info.Env()), l, n, b, columns);
  return info.Env().Undefined();
}

Napi::Value logDeterminant(const Napi::CallbackInfo& info) {
  const int64_t n = sizeOf(info[1], "n");
  return Napi::Number::New(info.Env(), linear::logDeterminant(matrix(info[0], "l", n, n).data, n));
}

Napi::Value symmetricEigen(const Napi::CallbackInfo& info) {
  const int64_t n = sizeOf(info[1], "n");
  const double* a = matrix(info[0], "a", n, n).data;
  double* values = target(info[2], "values", n, 1);
  double* vectors = target(info[3], "vectors", n, n);
  if (!linear::isSymmetric(a, n)) invalid("a: expected a symmetric matrix");
  linear::symmetricEigen(engineOf(info.Env()), a, n, values, vectors);
  return info.Env().Undefined();
}

Napi::Value orthonormalise(const Napi::CallbackInfo& info) {
  const int64_t rows = sizeOf(info[1], "rows"), columns = sizeOf(info[2], "columns");
  const double* a = matrix(info[0], "a", rows, columns).data;
  const double tolerance = number(info[3], "tolerance");
  if (!(tolerance >= 1e-13 && tolerance < 1)) invalid("tolerance: expected a number from 1e-13 to 1");
  double* out = target(info[4], "out", rows, columns);
  const linear::OrthonormalBasis basis = linear::orthonormalise(engineOf(info.Env()), a, rows, columns, tolerance);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < basis.rank; ++j) out[i * basis.rank + j] = basis.vectors[j * rows + i];
  Napi::Uint8Array kept = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(columns));
  std::copy_n(basis.kept.data(), columns, kept.Data());
  return kept;
}

}  // namespace

Napi::Object defineLinear(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  const auto define = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    object.Set(name, Napi::Function::New(env, function, name));
  };
  define("multiply", guarded<multiply>);
  define("gram", guarded<gram>);
  define("cholesky", guarded<cholesky>);
  define("solve", guarded<solve>);
  define("logDeterminant", guarded<logDeterminant>);
  define("symmetricEigen", guarded<symmetricEigen>);
  define("orthonormalise", guarded<orthonormalise>);
  return object;
}

}  // namespace sfm::addon
