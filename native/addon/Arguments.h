// Checks of what JavaScript hands over. Lengths are always compared before memory is touched, whatever TypeScript has
// checked.
#pragma once

#include <string>

#include "addon/Napi.h"
#include "core/Error.h"

namespace sfm::addon {

[[noreturn]] inline void invalid(const std::string& message) { throw Error(ErrorCode::INVALID_ARGUMENT, message); }

// A view of a typed array's numbers; valid until control returns to JavaScript.
template <class T>
struct ArrayView {
  const T* data = nullptr;
  size_t size = 0;
};

template <class T>
struct ElementType;
template <>
struct ElementType<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "Float32Array";
};
template <>
struct ElementType<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "Float64Array";
};
template <>
struct ElementType<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "Int32Array";
};
template <>
struct ElementType<uint16_t> {
  static constexpr napi_typedarray_type type = napi_uint16_array;
  static constexpr const char* name = "Uint16Array";
};

// The raw facts of a typed array; `shared` when a SharedArrayBuffer holds it.
struct TypedArrayInfo {
  napi_typedarray_type type;
  void* data;
  size_t length;
  bool shared;
};

inline bool typedArrayInfo(Napi::Env env, napi_value value, TypedArrayInfo* info) {
  bool is = false;
  if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return false;
  // Node-API leaves the type alone where it does not know it (Float16Array): then it is one that nothing here accepts.
  info->type = napi_uint8_clamped_array;
  napi_value buffer;
  size_t offset;
  if (napi_get_typedarray_info(env, value, &info->type, &info->length, &info->data, &buffer, &offset) != napi_ok)
    return false;
  bool plain = false;
  napi_is_arraybuffer(env, buffer, &plain);
  info->shared = !plain;
  return true;
}

template <class T>
bool isArray(const Napi::Value& value) {
  TypedArrayInfo info;
  return typedArrayInfo(value.Env(), value, &info) && info.type == ElementType<T>::type;
}

template <class T>
ArrayView<T> array(const Napi::Value& value, const char* name) {
  TypedArrayInfo info;
  if (!typedArrayInfo(value.Env(), value, &info) || info.type != ElementType<T>::type)
    invalid(std::string(name) + ": expected a " + ElementType<T>::name);
  return {static_cast<const T*>(info.data), info.data ? info.length : 0};
}

template <class T>
ArrayView<T> array(const Napi::Value& value, const char* name, size_t size) {
  const ArrayView<T> view = array<T>(value, name);
  if (view.size != size)
    invalid(std::string(name) + ": expected a " + ElementType<T>::name + " of " + std::to_string(size) +
            ", received one of " + std::to_string(view.size));
  return view;
}

inline bool isAbsent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

inline double number(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) invalid(std::string(name) + ": expected a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline int integer(const Napi::Value& value, const char* name, int low, int high) {
  const double v = number(value, name);
  if (!(v >= low && v <= high) || v != static_cast<double>(static_cast<int>(v)))
    invalid(std::string(name) + ": expected an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int>(v);
}

inline std::string text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) invalid(std::string(name) + ": expected a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) invalid(std::string(name) + ": expected an object");
  return value.As<Napi::Object>();
}

inline Napi::Function function(const Napi::Value& value, const char* name) {
  if (!value.IsFunction()) invalid(std::string(name) + ": expected a function");
  return value.As<Napi::Function>();
}

}  // namespace sfm::addon
