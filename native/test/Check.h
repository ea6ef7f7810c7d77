// What the tests are written with: named cases that run in order, checks that print the values they are about, and a
// count at the end. A test is one file of CASEs that ends with `int main(...) { return sfm::test::runCases(argc,
// argv); }`.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "core/Error.h"

namespace sfm::test {

struct Case {
  const char* name;
  void (*run)();
};

struct Tally {
  std::vector<Case> cases;
  std::vector<std::string> scopes;  // what is being tried, outermost first
  long long checks = 0;
  int failures = 0;  // of the case under way
  int failedCases = 0;
};

inline Tally& tally() {
  static Tally instance;
  return instance;
}

struct Registration {
  Registration(const char* name, void (*run)()) { tally().cases.push_back({name, run}); }
};

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.precision(9);
  (out << ... << parts);
  return out.str();
}

// Names what is being tried, for the message of a check that fails meanwhile.
class Scope {
 public:
  template <class... Parts>
  explicit Scope(const Parts&... parts) {
    tally().scopes.push_back(text(parts...));
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { tally().scopes.pop_back(); }
};

// A figure worth knowing, or the reason for what is left out.
template <class... Parts>
void note(const Parts&... parts) {
  std::printf("    %s\n", text(parts...).c_str());
}

inline void fail(const char* file, int line, const std::string& what) {
  constexpr int kShown = 10;
  if (++tally().failures > kShown) return;
  std::string where;
  for (const std::string& scope : tally().scopes) where += "[" + scope + "] ";
  std::printf("%s:%d: %s%s\n", file, line, where.c_str(), what.c_str());
  std::fflush(stdout);
}

template <class T>
std::string shown(const T& value) {
  std::ostringstream out;
  out.precision(std::is_same_v<T, float> ? 9 : 17);
  if constexpr (std::is_enum_v<T> || std::is_same_v<T, unsigned char> || std::is_same_v<T, signed char>)
    out << static_cast<int>(value);
  else
    out << value;
  return out.str();
}

inline void check(bool holds, const char* file, int line, const char* condition) {
  ++tally().checks;
  if (!holds) fail(file, line, condition);
}

template <class A, class B>
void checkEqual(const A& actual, const B& expected, const char* file, int line, const char* what) {
  ++tally().checks;
  if (!(actual == expected))
    fail(file, line, std::string(what) + " is " + shown(actual) + ", expected " + shown(expected));
}

// NaN is near nothing.
inline void checkNear(double actual, double expected, double tolerance, const char* file, int line, const char* what) {
  ++tally().checks;
  if (std::fabs(actual - expected) <= tolerance) return;
  fail(file, line,
       std::string(what) + " is " + shown(actual) + ", expected " + shown(expected) + " within " + shown(tolerance));
}

inline void checkAtMost(double actual, double limit, const char* file, int line, const char* what) {
  ++tally().checks;
  if (!(actual <= limit))
    fail(file, line, std::string(what) + " is " + shown(actual) + ", expected at most " + shown(limit));
}

template <class Function>
void checkThrows(ErrorCode code, Function function, const char* file, int line, const char* what) {
  ++tally().checks;
  try {
    function();
  } catch (const Error& error) {
    if (error.code() == code) return;
    return fail(file, line,
                std::string(what) + " threw " + errorCodeName(error.code()) + ", expected " + errorCodeName(code));
  }
  fail(file, line, std::string(what) + " did not throw " + errorCodeName(code));
}

#define CASE(name)                                                            \
  static void name();                                                         \
  static const ::sfm::test::Registration registrationOf_##name(#name, &name); \
  static void name()

#define CHECK(condition) ::sfm::test::check(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(actual, expected) ::sfm::test::checkEqual((actual), (expected), __FILE__, __LINE__, #actual)
#define CHECK_NEAR(actual, expected, tolerance) \
  ::sfm::test::checkNear((actual), (expected), (tolerance), __FILE__, __LINE__, #actual)
#define CHECK_AT_MOST(actual, limit) ::sfm::test::checkAtMost((actual), (limit), __FILE__, __LINE__, #actual)
#define CHECK_THROWS(code, ...) \
  ::sfm::test::checkThrows(::sfm::ErrorCode::code, [&] { __VA_ARGS__; }, __FILE__, __LINE__, #__VA_ARGS__)

// Runs the cases whose names contain one of the arguments, or all; returns the exit status.
inline int runCases(int argc, char** argv) {
  Tally& t = tally();
  int count = 0;
  for (const Case& c : t.cases) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; ++i) wanted |= std::strstr(c.name, argv[i]) != nullptr;
    if (!wanted) continue;
    ++count;
    t.failures = 0;
    const auto begin = std::chrono::steady_clock::now();
    try {
      c.run();
    } catch (const std::exception& error) {
      fail(c.name, 0, std::string("threw: ") + error.what());
      t.scopes.clear();
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (t.failures > 0) ++t.failedCases;
    std::printf("%s %s (%.2f s)%s\n", t.failures > 0 ? "FAILED" : "ok", c.name, seconds,
                t.failures > 0 ? text(": ", t.failures, " checks").c_str() : "");
    std::fflush(stdout);
  }
  std::printf("%d cases, %lld checks, %d failed\n", count, t.checks, t.failedCases);
  return count > 0 && t.failedCases == 0 ? 0 : 1;
}

}  // namespace sfm::test
