// Who shares the work on one problem, where code is the same for one thread and for many. A set of lanes says where
// each begins in a loop and how far it strides, adds up numbers over all lanes (in place, in the same order each time)
// and takes their largest; every lane gets the same results.
#pragma once

namespace sfm {
namespace {

// A thread alone.
struct OneLane {
  static constexpr bool kSumsPose = false;  // see core/PoseStart.h
  static int first() { return 0; }
  static int stride() { return 1; }
  static void sum(double*, int) {}
  static void sum(int*, int) {}
  static void largest(double*, int) {}
};

}  // namespace
}  // namespace sfm
