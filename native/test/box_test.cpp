// Quadratic programmes within a box, by the optimality conditions that a minimiser of a convex problem must meet, and
// no other point does: with g = S d - b, a free variable has g = 0, one at its lower bound g >= 0, one at its upper
// bound g <= 0.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/AlignedBuffer.h"
#include "cpu/BoxQuadratic.h"
#include "cpu/FitWorkspace.h"
#include "cpu/kernels/ReferenceLinear.h"
#include "test/Check.h"
#include "test/Random.h"
#include "test/kernels/LinearTable.h"

using namespace sfm;
using namespace sfm::test;

namespace {

Random generator(5);

double normal() { return generator.normal(); }
double uniform(double low, double high) { return generator.uniform(low, high); }

// A problem in double precision, whose numbers single precision holds exactly.
struct Problem {
  int n;
  std::vector<double> s, b, lower, upper;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// S = Q diag(sizes) Q^T plus rounding, with a condition number as asked.
Problem randomProblem(int n, double condition) {
  Problem p;
  p.n = n;
  std::vector<double> q(static_cast<size_t>(n) * n);
  for (int i = 0; i < n; ++i) {  // Gram-Schmidt
    double* row = &q[static_cast<size_t>(i) * n];
    for (int c = 0; c < n; ++c) row[c] = normal();
    for (int pass = 0; pass < 2; ++pass)
      for (int k = 0; k < i; ++k) {
        double along = 0;
        for (int c = 0; c < n; ++c) along += row[c] * q[static_cast<size_t>(k) * n + c];
        for (int c = 0; c < n; ++c) row[c] -= along * q[static_cast<size_t>(k) * n + c];
      }
    double size = 0;
    for (int c = 0; c < n; ++c) size += row[c] * row[c];
    for (int c = 0; c < n; ++c) row[c] /= std::sqrt(size);
  }
  p.s.assign(static_cast<size_t>(n) * n, 0);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j <= i; ++j) {
      double sum = 0;
      for (int k = 0; k < n; ++k) {
        const double size = 10 * std::pow(condition, -(n > 1 ? k / (n - 1.0) : 0));
        sum += size * q[static_cast<size_t>(k) * n + i] * q[static_cast<size_t>(k) * n + j];
      }
      p.s[static_cast<size_t>(i) * n + j] = p.s[static_cast<size_t>(j) * n + i] = static_cast<float>(sum);
    }
  for (int i = 0; i < n; ++i) {
    p.b.push_back(static_cast<float>(3 * normal()));
    const double low = static_cast<float>(-uniform(0, 1));
    p.lower.push_back(low);
    p.upper.push_back(static_cast<float>(low + uniform(0, 1)));
  }
  return p;
}

// A solver of the table below, in either precision.
struct Solver {
  std::string name;
  double unit;
  // Solves, and once more with what the first solution left behind.
  bool (*run)(const Problem& problem, std::vector<signed char>& state, std::vector<double>& d);
};

template <class Real, class Function>
bool solveWith(Function solve, const Problem& problem, std::vector<signed char>& state, std::vector<double>& d) {
  const int n = problem.n, ld = paddedColumns(n);
  // As FitWorkspace lays them out.
  AlignedBuffer<Real> s(static_cast<size_t>(ld + kRowSlack) * ld), work(static_cast<size_t>(ld + kRowSlack + 2) * ld),
      vectors(4 * static_cast<size_t>(ld));
  AlignedBuffer<int> index(ld);
  Real *b = vectors.data(), *lower = b + ld, *upper = lower + ld, *out = upper + ld;
  for (int i = 0; i < n; ++i) {
    b[i] = static_cast<Real>(problem.b[i]);
    lower[i] = static_cast<Real>(problem.lower[i]);
    upper[i] = static_cast<Real>(problem.upper[i]);
    for (int j = 0; j < n; ++j)
      s[static_cast<size_t>(i) * ld + j] = static_cast<Real>(problem.s[static_cast<size_t>(i) * n + j]);
  }
  bool factored = false;
  const bool solved = solve(s.data(), n, ld, b, lower, upper, state.data(), out, work.data(), index.data(), &factored);
  d.assign(out, out + n);
  CHECK(factored == solved);
  if (!solved) return false;
  // With its factors at hand the same comes out as without, for another b as well.
  for (const double turn : {1.0, -0.5}) {
    std::vector<Real> ends[2];
    std::vector<signed char> states[2];
    for (const bool reuse : {true, false}) {
      for (int i = 0; i < n; ++i) b[i] = static_cast<Real>(turn * problem.b[i]);
      states[reuse] = state;
      if (reuse) {
        solve(s.data(), n, ld, b, lower, upper, states[1].data(), out, work.data(), index.data(), &factored);
      } else {
        AlignedBuffer<Real> fresh(work.size());
        bool none = false;
        solve(s.data(), n, ld, b, lower, upper, states[0].data(), out, fresh.data(), index.data(), &none);
      }
      ends[reuse].assign(out, out + n);
    }
    CHECK(ends[0] == ends[1]);
    CHECK(states[0] == states[1]);
    if (states[1] != state) break;
  }
  return solved;
}

std::vector<const LinearTable*> tables;

template <size_t kTable>
bool solveInSingle(const Problem& problem, std::vector<signed char>& state, std::vector<double>& d) {
  return solveWith<float>(tables[kTable]->solveBox, problem, state, d);
}

bool solveInDouble(const Problem& problem, std::vector<signed char>& state, std::vector<double>& d) {
  return solveWith<double>(&solveBox<ReferenceKernels>, problem, state, d);
}

const std::vector<Solver>& solvers() {
  static const std::vector<Solver> all = [] {
    std::vector<Solver> list = {{"reference", std::ldexp(1.0, -53), &solveInDouble}};
    tables = supportedLinearTables();
    constexpr bool (*single[])(const Problem&, std::vector<signed char>&, std::vector<double>&) = {
        &solveInSingle<0>, &solveInSingle<1>, &solveInSingle<2>, &solveInSingle<3>, &solveInSingle<4>};
    for (size_t i = 0; i < tables.size(); ++i) list.push_back({tables[i]->name, std::ldexp(1.0, -24), single[i]});
    return list;
  }();
  return all;
}

struct Quality {
  double worstFree = 0;  // |g| of a free variable over the rounding that solving for it allows
  double worstBound = 0;  // g of the wrong sign at a bound, likewise
};

// Within the box to the bit, and the conditions above to rounding.
void checkOptimal(const Problem& p, const std::vector<double>& d, double unit, Quality* quality) {
  double size = 0;
  for (int i = 0; i < p.n; ++i) {
    double row = std::fabs(p.b[i]);
    for (int j = 0; j < p.n; ++j) row += std::fabs(p.s[static_cast<size_t>(i) * p.n + j] * d[j]);
    size = std::max(size, row);
  }
  for (int i = 0; i < p.n; ++i) {
    CHECK(d[i] >= p.lower[i] && d[i] <= p.upper[i]);
    if (p.lower[i] == p.upper[i]) continue;
    double g = -p.b[i];
    for (int j = 0; j < p.n; ++j) g += p.s[static_cast<size_t>(i) * p.n + j] * d[j];
    const double rounding = (4 * p.n + 20) * unit * size, contradiction = 1.1e-6 * std::fabs(p.b[i]) + rounding;
    if (d[i] > p.lower[i] && d[i] < p.upper[i]) {
      quality->worstFree = std::max(quality->worstFree, std::fabs(g) / rounding);
      CHECK_AT_MOST(std::fabs(g), rounding);
    } else {
      const double wrong = d[i] == p.lower[i] ? -g : g;
      quality->worstBound = std::max(quality->worstBound, wrong / contradiction);
      CHECK_AT_MOST(wrong, contradiction);
    }
  }
}

}  // namespace

CASE(random_boxes_from_any_first_guess) {
  for (const Solver& solver : solvers()) {
    Quality quality;
    for (int n = 1; n <= 60; ++n) {
      for (int i = 0; i < 8; ++i) {
        const Scope scope(solver.name, ", n ", n, ", number ", i);
        const Problem p = randomProblem(n, std::pow(10, uniform(0, 3)));
        std::vector<signed char> state(n, kFree);
        if (i % 4 == 1) state.assign(n, kAtLower);
        if (i % 4 == 2) state.assign(n, kAtUpper);
        if (i % 4 == 3)
          for (signed char& s : state) s = static_cast<signed char>(static_cast<int>(uniform(0, 3)) - 1);
        std::vector<double> d;
        CHECK(solver.run(p, state, d));
        checkOptimal(p, d, solver.unit, &quality);
        for (int j = 0; j < n; ++j) {
          if (state[j] == kAtLower) CHECK_EQUAL(d[j], p.lower[j]);
          if (state[j] == kAtUpper) CHECK_EQUAL(d[j], p.upper[j]);
        }
      }
    }
    note(solver.name, ": worst gradient over its bound, free ", quality.worstFree, ", at bounds ", quality.worstBound);
  }
}

CASE(first_guess_does_not_change_the_minimiser) {
  for (const Solver& solver : solvers()) {
    for (int i = 0; i < 40; ++i) {
      const Problem p = randomProblem(1 + i, 30);
      std::vector<signed char> free(p.n, kFree), bound(p.n, kAtUpper);
      std::vector<double> a, b;
      CHECK(solver.run(p, free, a));
      CHECK(solver.run(p, bound, b));
      for (int j = 0; j < p.n; ++j) CHECK_NEAR(a[j], b[j], 1e4 * solver.unit);
    }
  }
}

// Every active set there is, for small problems.
CASE(small_boxes_agree_with_exhaustion) {
  for (int n = 1; n <= 5; ++n) {
    for (int i = 0; i < 20; ++i) {
      const Problem p = randomProblem(n, 100);
      int sets = 1;
      for (int k = 0; k < n; ++k) sets *= 3;
      double best = kInfinity;
      std::vector<double> expected;
      for (int set = 0; set < sets; ++set) {
        std::vector<double> d(n), matrix, rhs;
        std::vector<int> free;
        for (int k = 0, rest = set; k < n; ++k, rest /= 3) {
          d[k] = rest % 3 == 0 ? p.lower[k] : p.upper[k];
          if (rest % 3 == 2) free.push_back(k);
        }
        const int m = static_cast<int>(free.size());
        for (int a : free) d[a] = 0;
        for (int a : free) {
          double sum = p.b[a];
          for (int k = 0; k < n; ++k) sum -= p.s[static_cast<size_t>(a) * n + k] * d[k];
          rhs.push_back(sum);
          for (int c : free) matrix.push_back(p.s[static_cast<size_t>(a) * n + c]);
        }
        CHECK(ReferenceKernels::factor(matrix.data(), m, m, m));
        ReferenceKernels::forward(matrix.data(), m, m, m, rhs.data());
        ReferenceKernels::backward(matrix.data(), m, m, m, rhs.data());
        bool feasible = true;
        for (int k = 0; k < m; ++k) {
          d[free[k]] = rhs[k];
          feasible &= rhs[k] >= p.lower[free[k]] && rhs[k] <= p.upper[free[k]];
        }
        if (!feasible) continue;
        double value = 0;
        for (int a = 0; a < n; ++a) {
          value -= p.b[a] * d[a];
          for (int c = 0; c < n; ++c) value += 0.5 * d[a] * p.s[static_cast<size_t>(a) * n + c] * d[c];
        }
        if (value < best) {
          best = value;
          expected = d;
        }
      }
      for (const Solver& solver : solvers()) {
        const Scope scope(solver.name, ", n ", n, ", number ", i);
        std::vector<signed char> state(n, kFree);
        std::vector<double> d;
        CHECK(solver.run(p, state, d));
        for (int k = 0; k < n; ++k) CHECK_NEAR(d[k], expected[k], 1e5 * solver.unit);
      }
    }
  }
}

CASE(infinite_bounds_leave_the_plain_solution) {
  for (const Solver& solver : solvers()) {
    for (const int n : {1, 8, 16, 17, 53, 60}) {
      Problem p = randomProblem(n, 100);
      p.lower.assign(n, -kInfinity);
      p.upper.assign(n, kInfinity);
      std::vector<double> factor(p.s), expected(p.b), d;
      CHECK(ReferenceKernels::factor(factor.data(), n, n, n));
      ReferenceKernels::forward(factor.data(), n, n, n, expected.data());
      ReferenceKernels::backward(factor.data(), n, n, n, expected.data());
      std::vector<signed char> state(n, kFree);
      CHECK(solver.run(p, state, d));
      double size = 0;
      for (double value : expected) size = std::max(size, std::fabs(value));
      for (int i = 0; i < n; ++i) {
        CHECK_NEAR(d[i], expected[i], 1e4 * solver.unit * size);
        CHECK_EQUAL(static_cast<int>(state[i]), static_cast<int>(kFree));
      }
      // One side open.
      p.lower.assign(n, 0.0);
      Quality quality;
      CHECK(solver.run(p, state, d));
      checkOptimal(p, d, solver.unit, &quality);
    }
  }
}

CASE(a_box_without_room_pins_its_variables) {
  for (const Solver& solver : solvers()) {
    for (const int n : {1, 5, 20, 53}) {
      const Scope scope(solver.name, ", n ", n);
      Problem p = randomProblem(n, 100);
      for (int i = 0; i < n; ++i)
        if (i % 3 != 1) p.upper[i] = p.lower[i];
      for (const signed char guess : {kFree, kAtLower, kAtUpper}) {
        std::vector<signed char> state(n, guess);
        std::vector<double> d;
        CHECK(solver.run(p, state, d));
        Quality quality;
        checkOptimal(p, d, solver.unit, &quality);
      }
      p.upper = p.lower;
      std::vector<signed char> state(n, kFree);
      std::vector<double> d;
      CHECK(solver.run(p, state, d));
      CHECK(d == p.lower);
    }
  }
}

CASE(badly_conditioned_systems_are_solved_or_refused) {
  for (const Solver& solver : solvers()) {
    int solved = 0, count = 0;
    Quality quality;
    for (int n = 2; n <= 60; n += 2) {
      for (const double condition : {1e4, 1e5, 1e6, 1e9}) {
        const Scope scope(solver.name, ", n ", n, ", condition ", condition);
        const Problem p = randomProblem(n, condition);
        std::vector<signed char> state(n, kFree);
        std::vector<double> d;
        const bool good = solver.run(p, state, d);
        // S itself is rounded to single precision: beyond that it may not be positive definite any more.
        if (condition <= 1e5) CHECK(good);
        if (good) checkOptimal(p, d, solver.unit, &quality);
        for (int i = 0; i < n; ++i) CHECK(d[i] >= p.lower[i] && d[i] <= p.upper[i]);
        solved += good;
        ++count;
      }
    }
    note(solver.name, ": ", solved, " of ", count, " solved");
  }
}

CASE(an_indefinite_system_is_refused_within_the_box) {
  for (const Solver& solver : solvers()) {
    for (const int n : {1, 6, 40}) {
      Problem p = randomProblem(n, 10);
      p.s[0] = -1;
      std::vector<signed char> state(n, kFree);
      std::vector<double> d;
      CHECK(!solver.run(p, state, d));
      for (int i = 0; i < n; ++i) CHECK(d[i] >= p.lower[i] && d[i] <= p.upper[i]);
    }
  }
}

int main(int argc, char** argv) { return runCases(argc, argv); }
