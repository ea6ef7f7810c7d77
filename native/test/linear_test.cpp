// The linear algebra of every instruction set against the double-precision reference, from one table of sizes. The
// bounds are the a-priori ones of rounding-error analysis (Higham 2002, chapters 3, 8 and 10) with u = 2^-24: a result
// may be off by a few u times the sum of the magnitudes that went into it, times the number of operations.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/AlignedBuffer.h"
#include "cpu/FitWorkspace.h"
#include "cpu/kernels/ReferenceLinear.h"
#include "test/Check.h"
#include "test/Random.h"
#include "test/kernels/LinearTable.h"

using namespace sfm;
using namespace sfm::test;

namespace {

constexpr double kUnit = 1.0 / (1 << 24);
constexpr int kLargest = 175;  // the unknowns of a fit of 100 identities and 53 expressions, and some
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Random generator(3);

float normal() { return static_cast<float>(generator.normal()); }

AlignedBuffer<float> randomFloats(size_t count) {
  AlignedBuffer<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = normal();
  return values;
}

// A system as FitWorkspace lays it out: [ld + kRowSlack][ld], of which the upper triangle of the first n rows counts.
struct Matrix {
  explicit Matrix(int size) : n(size), ld(paddedColumns(size)), values(static_cast<size_t>(ld + kRowSlack) * ld) {}
  float& at(int i, int j) { return values[static_cast<size_t>(i) * ld + j]; }
  float at(int i, int j) const { return values[static_cast<size_t>(i) * ld + j]; }
  Matrix copy() const {
    Matrix m(n);
    std::memcpy(m.values.data(), values.data(), values.size() * sizeof(float));
    return m;
  }
  // What a kernel may use as scratch holds what breaks every number it touches.
  void poisonScratch() {
    for (int i = 0; i < ld + kRowSlack; ++i)
      for (int j = 0; j < ld; ++j)
        if (i >= n || j < i || j >= n) at(i, j) = kNaN;
  }
  std::vector<double> inDouble() const { return {values.data(), values.data() + values.size()}; }

  int n, ld;
  AlignedBuffer<float> values;
};

// Symmetric positive definite with a condition number of a few hundred at most: a Gram matrix and a ridge.
Matrix randomSystem(int n) {
  Matrix m(n);
  const int rows = n / 2 + 3;
  const AlignedBuffer<float> g = randomFloats(static_cast<size_t>(rows) * n);
  for (int i = 0; i < n; ++i)
    for (int j = i; j < n; ++j) {
      double sum = i == j ? 0.1 * n + 1 : 0;
      for (int k = 0; k < rows; ++k)
        sum += static_cast<double>(g[static_cast<size_t>(k) * n + i]) * g[static_cast<size_t>(k) * n + j];
      m.at(i, j) = static_cast<float>(sum);
    }
  return m;
}

// How many rows a partial factorisation takes: none, all, and around the block size.
std::vector<int> eliminations(int n) {
  std::vector<int> counts = {0, n};
  for (const int count : {1, 7, 8, 9, 15, 16, 17, n / 3, n / 2, n - 1})
    if (count > 0 && count < n) counts.push_back(count);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

class Worst {
 public:
  explicit Worst(const char* what) : what_(what) {}
  ~Worst() { note("worst error over its bound, ", what_, ": ", ratio_); }
  // The error must be within the bound; remembers how much of it was used.
  void hold(double error, double bound) {
    if (bound > 0) ratio_ = std::max(ratio_, error / bound);
    CHECK_AT_MOST(error, bound);
  }

 private:
  const char* what_;
  double ratio_ = 0;
};

template <class Body>
void forEachTable(Body body) {
  for (const LinearTable* table : supportedLinearTables()) {
    const Scope scope(table->name);
    body(*table);
  }
}

}  // namespace

CASE(row_dots) {
  Worst worst("rowDots");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 16; n <= 176; n += 16) {
      for (const int count : {0, 1, 2, 3, 4, 5, 7, 12, 90, 204}) {
        const Scope scope("n ", n, ", count ", count);
        const int stride = n + 48;
        const AlignedBuffer<float> rows = randomFloats(static_cast<size_t>(count) * stride), x = randomFloats(n);
        AlignedBuffer<float> out(static_cast<size_t>(count) + 1);
        out[count] = 42;
        std::vector<double> expected(count), magnitude(count), xd(x.data(), x.data() + n);
        ReferenceKernels::rowDots(rows.data(), count, stride, n, xd.data(), expected.data());
        kernels.rowDots(rows.data(), count, stride, n, x.data(), out.data());
        for (int i = 0; i < count; ++i) {
          for (int c = 0; c < n; ++c)
            magnitude[i] += std::fabs(static_cast<double>(rows[static_cast<size_t>(i) * stride + c]) * x[c]);
          worst.hold(std::fabs(out[i] - expected[i]), (n / 4 + 6) * kUnit * magnitude[i]);
        }
        CHECK_EQUAL(out[count], 42.0f);
      }
    }
  });
}

CASE(combinations) {
  Worst worst("combine, addCombination, addScaled");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 16; n <= 176; n += 16) {
      const AlignedBuffer<float> x = randomFloats(n), y = randomFloats(n), z = randomFloats(n);
      const float a = normal(), b = normal(), c = normal();
      AlignedBuffer<float> out(static_cast<size_t>(n) + 1), sum = randomFloats(static_cast<size_t>(n) + 1),
                                                            total = randomFloats(static_cast<size_t>(n) + 1);
      out[n] = sum[n] = total[n] = 42;
      std::vector<double> expected(n), expectedSum(sum.data(), sum.data() + n), before(total.data(), total.data() + n),
          expectedTotal(before), xd(x.data(), x.data() + n);
      ReferenceKernels::combine(a, x.data(), b, y.data(), c, z.data(), n, expected.data());
      kernels.combine(a, x.data(), b, y.data(), c, z.data(), n, out.data());
      ReferenceKernels::addCombination(a, x.data(), b, y.data(), c, z.data(), n, expectedTotal.data());
      kernels.addCombination(a, x.data(), b, y.data(), c, z.data(), n, total.data());
      ReferenceKernels::addScaled(a, xd.data(), n, expectedSum.data());
      kernels.addScaled(a, x.data(), n, sum.data());
      for (int i = 0; i < n; ++i) {
        const double terms = std::fabs(a * x[i]) + std::fabs(b * y[i]) + std::fabs(c * z[i]);
        worst.hold(std::fabs(out[i] - expected[i]), 3.1 * kUnit * terms);
        worst.hold(std::fabs(total[i] - expectedTotal[i]), 3.1 * kUnit * (terms + std::fabs(before[i])));
        worst.hold(std::fabs(sum[i] - expectedSum[i]), 2.1 * kUnit * (std::fabs(expectedSum[i]) + std::fabs(a * x[i])));
      }
      for (const auto* each : {&out, &sum, &total}) CHECK_EQUAL((*each)[n], 42.0f);
    }
  });
}

CASE(dot_product_of_any_length_at_any_address) {
  Worst worst("dotProduct");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 0; n <= kLargest; ++n) {
      for (const int offset : {0, 1, 5}) {
        const Scope scope("n ", n, ", offset ", offset);
        AlignedBuffer<float> a = randomFloats(static_cast<size_t>(n) + offset + 32),
                             b = randomFloats(static_cast<size_t>(n) + offset + 32);
        // What lies beyond must not matter.
        for (int i = 0; i < 32; ++i) a[n + offset + i] = b[n + offset + i] = kNaN;
        double expected = 0, magnitude = 0;
        for (int i = 0; i < n; ++i) {
          const double term = static_cast<double>(a[offset + i]) * b[offset + i];
          expected += term;
          magnitude += std::fabs(term);
        }
        worst.hold(std::fabs(kernels.dotProduct(a.data() + offset, b.data() + offset, n) - expected),
                   (n / 4 + 10) * kUnit * magnitude);
      }
    }
  });
}

CASE(gram) {
  Worst gram("gram");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; ++n) {
      for (const int m : {1, 2 + n % 7, n % 3 ? 13 : 3 * kChunkLandmarks}) {
        const bool add = n % 2 == 0 || m == 1;
        const Scope scope("n ", n, ", m ", m, ", add ", add);
        // A chunk of Jacobian rows: zeros beyond the unknowns, one spare row.
        const int ld = paddedColumns(n);
        AlignedBuffer<float> j(static_cast<size_t>(m + 1) * ld);
        for (int k = 0; k < m; ++k)
          for (int c = 0; c < n; ++c) j[static_cast<size_t>(k) * ld + c] = normal();
        Matrix h(n), spoiled(n);
        for (int a = 0; a < n; ++a)
          for (int b = a; b < n; ++b) h.at(a, b) = add ? normal() : 0;
        std::memcpy(spoiled.values.data(), h.values.data(), h.values.size() * sizeof(float));
        spoiled.poisonScratch();
        for (int a = 0; a < n && !add; ++a)
          for (int b = a; b < n; ++b) spoiled.at(a, b) = kNaN;  // what is there does not matter
        std::vector<double> expectedH = h.inDouble(), jd(j.data(), j.data() + j.size());
        std::vector<double> magnitudeH(expectedH), ja(jd);
        for (auto* values : {&magnitudeH, &ja})
          for (double& value : *values) value = std::fabs(value);
        ReferenceKernels::gram(add, jd.data(), m, n, ld, expectedH.data());
        ReferenceKernels::gram(add, ja.data(), m, n, ld, magnitudeH.data());
        kernels.gram(add, j.data(), m, n, ld, h.values.data());
        kernels.gram(add, j.data(), m, n, ld, spoiled.values.data());
        for (int a = 0; a < n; ++a) {
          for (int b = a; b < n; ++b) {
            const size_t at = static_cast<size_t>(a) * ld + b;
            gram.hold(std::fabs(h.values[at] - expectedH[at]), (2 * m + 1) * kUnit * magnitudeH[at]);
            CHECK(h.values[at] == spoiled.values[at]);
          }
        }
      }
    }
  });
}

// Nearest, ties to even.
float inBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

CASE(gram_of_rounded_rows) {
  Worst worst("roughGram");
  forEachTable([&](const LinearTable& kernels) {
    if (!kernels.roughGram) return;
    for (int n = 1; n <= kLargest; ++n) {
      const int pairs = n % 3 ? 1 + n % 7 : kPairCapacity, m = 2 * pairs, ld = paddedColumns(n);
      const bool add = n % 2 == 0;
      const Scope scope("n ", n, ", pairs ", pairs, ", add ", add);
      AlignedBuffer<float> j(2 * static_cast<size_t>(ld)), packed(static_cast<size_t>(kPairCapacity) * ld);
      std::vector<double> rounded(static_cast<size_t>(m) * ld), magnitudes(rounded);
      for (int k = 0; k < m; ++k) {
        for (int c = 0; c < n; ++c) {
          const float value = j[static_cast<size_t>(k % 2) * ld + c] = normal();
          rounded[static_cast<size_t>(k) * ld + c] = inBf16(value);
          magnitudes[static_cast<size_t>(k) * ld + c] = std::fabs(value);
        }
        if (k % 2 == 1) kernels.packRows(j.data(), n, ld, k / 2, kPairCapacity, packed.data());
      }
      Matrix h(n);
      for (int a = 0; a < n; ++a)
        for (int b = a; b < n; ++b) h.at(a, b) = add ? normal() : 0;
      std::vector<double> expected = h.inDouble(), magnitude(expected);
      for (double& value : magnitude) value = std::fabs(value);
      ReferenceKernels::gram(add, rounded.data(), m, n, ld, expected.data());
      ReferenceKernels::gram(add, magnitudes.data(), m, n, ld, magnitude.data());
      if (!add) h.poisonScratch();
      kernels.roughGram(add, packed.data(), pairs, kPairCapacity, n, ld, h.values.data());
      for (int a = 0; a < n; ++a)
        for (int b = a; b < n; ++b) {
          const size_t at = static_cast<size_t>(a) * ld + b;
          worst.hold(std::fabs(h.values[at] - expected[at]), (2 * m + 2) * kUnit * magnitude[at]);
        }
    }
  });
}

// H = U^T U for the rows eliminated, H = U1^T U1 + S for the rest: the backward error of each entry against the
// magnitudes in it.
CASE(factorisation_full_and_partial) {
  Worst worst("factor");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; ++n) {
      const Matrix system = randomSystem(n);
      for (const int eliminated : n % 5 == 0 || n < 20 ? eliminations(n) : std::vector<int>{n, n - n / 3}) {
        const Scope scope("n ", n, ", eliminated ", eliminated);
        Matrix u = system.copy(), spoiled = system.copy();
        spoiled.poisonScratch();
        CHECK(kernels.factor(u.values.data(), n, eliminated, u.ld));
        CHECK(kernels.factor(spoiled.values.data(), n, eliminated, u.ld));
        std::vector<double> row(n), magnitude(n);
        for (int i = 0; i < n; ++i) {
          for (int j = i; j < n; ++j) {
            CHECK(u.at(i, j) == spoiled.at(i, j));
            row[j] = i < eliminated ? 0 : u.at(i, j);
            magnitude[j] = std::fabs(row[j]) + std::fabs(system.at(i, j));
          }
          for (int k = 0; k <= i && k < eliminated; ++k) {
            const double left = u.at(k, i);
            for (int j = i; j < n; ++j) {
              row[j] += left * u.at(k, j);
              magnitude[j] += std::fabs(left * u.at(k, j));
            }
          }
          for (int j = i; j < n; ++j)
            worst.hold(std::fabs(row[j] - system.at(i, j)), (std::min(i, eliminated) + 3) * 2 * kUnit * magnitude[j]);
        }
      }
    }
  });
}

// The same numbers as the reference, where the system is well conditioned.
CASE(factorisation_agrees_with_the_reference) {
  Worst worst("factor against the reference");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; n += n < 40 ? 1 : 9) {
      for (const int eliminated : eliminations(n)) {
        Matrix u = randomSystem(n);
        std::vector<double> expected = u.inDouble();
        CHECK(ReferenceKernels::factor(expected.data(), n, eliminated, u.ld));
        CHECK(kernels.factor(u.values.data(), n, eliminated, u.ld));
        const double size = std::sqrt(2.0 * n);
        for (int i = 0; i < n; ++i)
          for (int j = i; j < n; ++j)
            worst.hold(std::fabs(u.at(i, j) - expected[static_cast<size_t>(i) * u.ld + j]),
                       100 * kUnit * size * (i < eliminated ? 1 : size));
      }
    }
  });
}

CASE(factorisation_refuses_what_is_not_positive_definite) {
  forEachTable([&](const LinearTable& kernels) {
    for (const int n : {1, 2, 7, 16, 17, 33, 70, 160}) {
      const Matrix system = randomSystem(n);
      for (const int bad : {0, 1, 14, 15, 16, 17, 31, 32, n / 2, n - 1}) {
        if (bad >= n) continue;
        for (const float value : {-1.0f, 0.0f, -0.0f, kNaN}) {
          const Scope scope("n ", n, ", bad ", bad, ", value ", value);
          Matrix u = system.copy();
          u.at(bad, bad) = value;
          CHECK(!kernels.factor(u.values.data(), n, n, u.ld));
          // What is not eliminated may be anything.
          Matrix partial = system.copy();
          partial.at(bad, bad) = value;
          CHECK(kernels.factor(partial.values.data(), n, bad, u.ld));
        }
        Matrix u = system.copy();
        if (bad + 1 < n) u.at(bad, bad + 1) = kNaN;
        CHECK_EQUAL(kernels.factor(u.values.data(), n, n, u.ld), bad + 1 >= n);
      }
    }
  });
}

CASE(forward_and_backward_substitution) {
  Worst forward("forward"), backward("backward");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; ++n) {
      Matrix u = randomSystem(n);
      CHECK(kernels.factor(u.values.data(), n, n, u.ld));
      u.poisonScratch();
      for (const int rows : eliminations(n)) {
        const Scope scope("n ", n, ", rows ", rows);
        AlignedBuffer<float> b = randomFloats(u.ld), y(static_cast<size_t>(u.ld)), x(static_cast<size_t>(u.ld));
        for (int i = 0; i < n; ++i) y[i] = x[i] = b[i];
        kernels.forward(u.values.data(), n, rows, u.ld, y.data());
        kernels.backward(u.values.data(), n, rows, u.ld, x.data());
        for (int i = 0; i < n; ++i) {
          // U^T y = b row by row; below the rows solved, y is what is left of b.
          double sum = i < rows ? 0 : y[i], magnitude = std::fabs(b[i]) + std::fabs(sum);
          for (int k = 0; k < rows && k <= i; ++k) {
            sum += static_cast<double>(u.at(k, i)) * y[k];
            magnitude += std::fabs(static_cast<double>(u.at(k, i)) * y[k]);
          }
          forward.hold(std::fabs(sum - b[i]), (i + 3) * 2 * kUnit * magnitude);
          if (i >= rows) {
            CHECK_EQUAL(x[i], b[i]);
            continue;
          }
          sum = magnitude = 0;
          for (int j = i; j < n; ++j) {
            sum += static_cast<double>(u.at(i, j)) * x[j];
            magnitude += std::fabs(static_cast<double>(u.at(i, j)) * x[j]);
          }
          backward.hold(std::fabs(sum - b[i]), (n - i + 3) * 2 * kUnit * (magnitude + std::fabs(b[i])));
        }
      }
    }
  });
}

CASE(solution_of_a_system_agrees_with_the_reference) {
  Worst worst("solution");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; n += n < 40 ? 1 : 7) {
      Matrix u = randomSystem(n);
      std::vector<double> reference = u.inDouble(), expected(u.ld);
      AlignedBuffer<float> b = randomFloats(u.ld);
      for (int i = 0; i < n; ++i) expected[i] = b[i];
      CHECK(ReferenceKernels::factor(reference.data(), n, n, u.ld));
      ReferenceKernels::forward(reference.data(), n, n, u.ld, expected.data());
      ReferenceKernels::backward(reference.data(), n, n, u.ld, expected.data());
      CHECK(kernels.factor(u.values.data(), n, n, u.ld));
      kernels.forward(u.values.data(), n, n, u.ld, b.data());
      kernels.backward(u.values.data(), n, n, u.ld, b.data());
      double size = 0, difference = 0;
      for (int i = 0; i < n; ++i) {
        size += expected[i] * expected[i];
        difference += (b[i] - expected[i]) * (b[i] - expected[i]);
      }
      worst.hold(std::sqrt(difference / size), 1e-5);
    }
  });
}

CASE(trace_of_the_inverse) {
  Worst worst("inverseTrace");
  forEachTable([&](const LinearTable& kernels) {
    for (int n = 1; n <= kLargest; n += n < 40 ? 1 : 7) {
      for (const int first : eliminations(n)) {
        const Scope scope("n ", n, ", first ", first);
        Matrix u = randomSystem(n);
        CHECK(kernels.factor(u.values.data(), n, n, u.ld));
        u.poisonScratch();
        // The squares of U^-1's entries, U^-1 from the back-substitution of one unit vector after the other.
        const int size = n - first;
        std::vector<double> block(static_cast<size_t>(size) * size);
        for (int i = 0; i < size; ++i)
          for (int j = i; j < size; ++j) block[static_cast<size_t>(i) * size + j] = u.at(first + i, first + j);
        double expected = 0;
        for (int j = 0; j < size; ++j) {
          std::vector<double> x(size, 0.0);
          x[j] = 1;
          ReferenceKernels::backward(block.data(), size, size, size, x.data());
          for (double value : x) expected += value * value;
        }
        std::vector<double> ud = u.inDouble(), strip(static_cast<size_t>(u.ld) * kInverseStrip);
        CHECK_NEAR(ReferenceKernels::inverseTrace(ud.data(), first, n, u.ld, strip.data()), expected, 1e-12 * expected);
        AlignedBuffer<float> poisoned(static_cast<size_t>(u.ld) * kInverseStrip);
        for (size_t i = 0; i < poisoned.size(); ++i) poisoned[i] = kNaN;
        worst.hold(std::fabs(kernels.inverseTrace(u.values.data(), first, n, u.ld, poisoned.data()) - expected),
                   1e-5 * expected);
      }
    }
  });
}

int main(int argc, char** argv) { return runCases(argc, argv); }
