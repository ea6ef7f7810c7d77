// The double-precision linear algebra: against plain loops and known answers, and its bits, which must be the same for
// every instruction set, every number of threads and every machine.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "cpu/ThreadPool.h"
#include "linear/Cholesky.h"
#include "linear/Orthonormalise.h"
#include "linear/Product.h"
#include "linear/Symmetric.h"
#include "linear/SymmetricEigen.h"
#include "test/Check.h"
#include "test/Random.h"

using namespace sfm;
using namespace sfm::linear;
using namespace sfm::test;

namespace {

constexpr double kUnit = 0x1p-53;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

struct Matrix {
  Matrix(int64_t r, int64_t c, double value = 0) : rows(r), columns(c), data(static_cast<size_t>(r * c), value) {}
  double& operator()(int64_t i, int64_t j) { return data[static_cast<size_t>(i * columns + j)]; }
  double operator()(int64_t i, int64_t j) const { return data[static_cast<size_t>(i * columns + j)]; }
  Operand operand() const { return rowMajor(data.data(), rows, columns, columns); }
  Matrix transposed() const {
    Matrix t(columns, rows);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) t(j, i) = (*this)(i, j);
    return t;
  }
  // To the bit, NaN as well.
  bool operator==(const Matrix& other) const {
    const auto same = [](double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; };
    return rows == other.rows && columns == other.columns &&
           std::equal(data.begin(), data.end(), other.data.begin(), same);
  }

  int64_t rows, columns;
  std::vector<double> data;
};

Engine best() { return {*linearKernels().front(), Parallel()}; }

Matrix randomMatrix(int64_t rows, int64_t columns, uint64_t seed) {
  Random random(seed);
  Matrix m(rows, columns);
  for (double& value : m.data) value = random.uniform(-1, 1);
  return m;
}

Matrix identity(int64_t n) {
  Matrix m(n, n);
  for (int64_t i = 0; i < n; ++i) m(i, i) = 1;
  return m;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.columns; ++k)
      for (int64_t j = 0; j < b.columns; ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

// Symmetric and positive definite, with a condition number of a few hundred.
Matrix randomSystem(int64_t n, uint64_t seed) {
  const Matrix a = randomMatrix(n / 2 + 3, n, seed);
  Matrix g = product(a.transposed(), a);
  for (int64_t i = 0; i < n; ++i) g(i, i) += 0.05 * static_cast<double>(n) + 0.5;
  return g;
}

double largest(const Matrix& a) {
  double magnitude = 0;
  for (const double value : a.data) magnitude = std::fabs(value) <= magnitude ? magnitude : std::fabs(value);
  return magnitude;
}

double difference(const Matrix& a, const Matrix& b) {
  double worst = 0;
  for (size_t i = 0; i < a.data.size(); ++i) {
    const double d = std::fabs(a.data[i] - b.data[i]);
    worst = d <= worst ? worst : d;
  }
  return worst;
}

Matrix multiplied(const Engine& engine, const Operand& a, const Operand& b) {
  Matrix c(a.rows, b.columns, kNaN);
  multiply(engine, a, b, Update::kSet, c.data.data(), b.columns);
  return c;
}

Matrix choleskyOf(const Engine& engine, Matrix a) {
  cholesky(engine, a.data.data(), a.rows);
  return a;
}

struct Eigen {
  std::vector<double> values;
  Matrix vectors;
};

Eigen eigenOf(const Engine& engine, const Matrix& a) {
  Eigen eigen{std::vector<double>(static_cast<size_t>(a.rows)), Matrix(a.rows, a.rows)};
  symmetricEigen(engine, a.data.data(), a.rows, eigen.values.data(), eigen.vectors.data.data());
  return eigen;
}

struct Basis {
  Matrix vectors;  // columns
  std::vector<int> columns;
};

Basis basisOf(const Engine& engine, const Matrix& a, double tolerance = 1e-12) {
  const OrthonormalBasis found = orthonormalise(engine, a.data.data(), a.rows, a.columns, tolerance);
  Basis basis{Matrix(a.rows, found.rank), {}};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < found.rank; ++j) basis.vectors(i, j) = found.vectors[j * a.rows + i];
  for (int64_t j = 0; j < a.columns; ++j)
    if (found.kept[j]) basis.columns.push_back(static_cast<int>(j));
  return basis;
}

struct Shape {
  int64_t m, k, n;
};

// Empty ones, single rows and columns, sizes just off the tiles (4, 6, 8, 12, 16), the depth of a partial sum (256) and
// the blocks.
const Shape kShapes[] = {{0, 3, 2},     {3, 0, 2},      {3, 2, 0},    {1, 1, 1},     {1, 300, 1},
                         {5, 1, 7},     {13, 17, 19},   {12, 8, 16},  {11, 256, 17}, {24, 257, 33},
                         {97, 513, 50}, {200, 40, 260}, {1550, 5, 3}, {3, 5, 1040}};

}  // namespace

CASE(products_against_plain_loops) {
  double worst = 0;
  for (const LinearKernels* kernels : linearKernels()) {
    const Engine engine{*kernels, Parallel()};
    for (const auto& [m, k, n] : kShapes) {
      const Scope scope(kernels->name, ", ", m, " x ", k, " x ", n);
      const Matrix a = randomMatrix(m, k, 1), b = randomMatrix(k, n, 2);
      Matrix absoluteA = a, absoluteB = b;
      for (double& value : absoluteA.data) value = std::fabs(value);
      for (double& value : absoluteB.data) value = std::fabs(value);
      const Matrix expected = product(a, b), magnitude = product(absoluteA, absoluteB);
      const Matrix c = multiplied(engine, a.operand(), b.operand());
      for (size_t i = 0; i < c.data.size(); ++i) {
        const double bound = 2 * static_cast<double>(k) * kUnit * magnitude.data[i];
        if (bound > 0) worst = std::max(worst, std::fabs(c.data[i] - expected.data[i]) / bound);
        CHECK_AT_MOST(std::fabs(c.data[i] - expected.data[i]), bound);
      }
      // Either operand transposed in memory: the same sums.
      const Matrix at = a.transposed(), bt = b.transposed();
      CHECK(multiplied(engine, at.operand().transposed(), b.operand()) == c);
      CHECK(multiplied(engine, a.operand(), bt.operand().transposed()) == c);
      CHECK(multiplied(engine, at.operand().transposed(), bt.operand().transposed()) == c);
    }
  }
  note("worst error over its bound: ", worst);
}

CASE(products_of_32_bit_numbers_are_those_of_the_same_numbers_in_64) {
  for (const auto& [m, k, n] : kShapes) {
    Matrix a = randomMatrix(m, k, 3), b = randomMatrix(k, n, 4);
    std::vector<float> floatsA(a.data.begin(), a.data.end()), floatsB(b.data.begin(), b.data.end());
    a.data.assign(floatsA.begin(), floatsA.end());
    b.data.assign(floatsB.begin(), floatsB.end());
    const Operand fa = rowMajor(floatsA.data(), m, k, k), fb = rowMajor(floatsB.data(), k, n, n);
    const Matrix expected = multiplied(best(), a.operand(), b.operand());
    CHECK(multiplied(best(), fa, b.operand()) == expected);
    CHECK(multiplied(best(), a.operand(), fb) == expected);
    CHECK(multiplied(best(), fa, fb) == expected);
    CHECK(multiplied(best(), fb.transposed(), fa.transposed()) == expected.transposed());
  }
}

CASE(products_are_added_and_subtracted) {
  const Matrix a = randomMatrix(29, 300, 5), b = randomMatrix(300, 35, 6), before = randomMatrix(29, 35, 7);
  const Matrix expected = product(a, b);
  for (const Update update : {Update::kAdd, Update::kSubtract}) {
    Matrix c = before;
    multiply(best(), a.operand(), b.operand(), update, c.data.data(), 35);
    const double sign = update == Update::kAdd ? 1 : -1;
    for (size_t i = 0; i < c.data.size(); ++i) CHECK_NEAR(c.data[i], before.data[i] + sign * expected.data[i], 1e-13);
  }
  // No terms: nothing to add, but a product of zeros to set.
  Matrix c = before;
  multiply(best(), rowMajor(a.data.data(), 29, 0, 300), rowMajor(b.data.data(), 0, 35, 35), Update::kAdd, c.data.data(),
           35);
  CHECK(c == before);
  multiply(best(), rowMajor(a.data.data(), 29, 0, 300), rowMajor(b.data.data(), 0, 35, 35), Update::kSet, c.data.data(),
           35);
  CHECK(c == Matrix(29, 35));
}

CASE(a_product_touches_nothing_beside_its_result) {
  const Matrix a = randomMatrix(19, 23, 8), b = randomMatrix(23, 21, 9);
  Matrix c(25, 30, 7.5);
  multiply(best(), a.operand(), b.operand(), Update::kSet, &c(3, 4), 30);
  const Matrix expected = multiplied(best(), a.operand(), b.operand());
  for (int64_t i = 0; i < 25; ++i)
    for (int64_t j = 0; j < 30; ++j) {
      const bool inside = i >= 3 && i < 22 && j >= 4 && j < 25;
      CHECK_EQUAL(c(i, j), inside ? expected(i - 3, j - 4) : 7.5);
    }
}

CASE(what_is_not_finite_passes_through_products) {
  Matrix a = randomMatrix(20, 30, 10);
  const Matrix b = randomMatrix(30, 25, 11);
  a(3, 4) = kNaN;
  a(15, 1) = kInfinity;
  const Matrix c = multiplied(best(), a.operand(), b.operand());
  for (int64_t i = 0; i < 20; ++i)
    for (int64_t j = 0; j < 25; ++j)
      CHECK(i == 3 ? std::isnan(c(i, j)) : i == 15 ? std::isinf(c(i, j)) : std::isfinite(c(i, j)));
}

CASE(gram_matrices_are_symmetric_to_the_bit) {
  for (const auto& [m, k, n] : kShapes) {
    const Matrix a = randomMatrix(k, n, 12);
    Matrix g(n, n, kNaN);
    gram(best(), a.operand(), Update::kSet, g.data.data(), n);
    CHECK(g == g.transposed());
    CHECK(g == multiplied(best(), a.operand().transposed(), a.operand()));
    Matrix twice = g;
    gram(best(), a.operand(), Update::kAdd, twice.data.data(), n);
    CHECK(twice == twice.transposed());
    Matrix expected = g;
    for (double& value : expected.data) value *= 2;
    CHECK_AT_MOST(difference(twice, expected), 1e-13 * static_cast<double>(k + 1));
  }
}

CASE(cholesky_factors) {
  const Matrix known = choleskyOf(best(), [] {
    Matrix a(3, 3);
    a.data = {4, 12, -16, 12, 37, -43, -16, -43, 98};
    return a;
  }());
  CHECK((known.data == std::vector<double>{2, 0, 0, 6, 1, 0, -8, 5, 3}));
  for (const int64_t n : {0, 1, 2, 5, 63, 64, 65, 128, 200}) {
    const Scope scope("n ", n);
    const Matrix a = randomSystem(n, 13), l = choleskyOf(best(), a);
    CHECK_AT_MOST(difference(product(l, l.transposed()), a), 1e-14 * largest(a));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i; j < n; ++j) CHECK(j == i ? l(i, j) > 0 : l(i, j) == 0);
    // The lower triangle is enough.
    Matrix lower = a;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) lower(i, j) = kNaN;
    CHECK(choleskyOf(best(), lower) == l);
  }
}

CASE(cholesky_refuses_what_is_not_positive_definite) {
  for (const int64_t n : {1, 2, 64, 65, 150})
    for (const int64_t at : {int64_t{0}, n / 2, n - 1})
      for (const double value : {0.0, -1.0, kNaN, kInfinity, -kInfinity}) {
        const Scope scope("n ", n, ", at ", at, ", value ", value);
        Matrix a = randomSystem(n, 14);
        a(at, at) = value;
        CHECK_THROWS(NUMERICAL, choleskyOf(best(), a));
        if (std::isfinite(value) || at == 0) continue;
        a = randomSystem(n, 14);
        a(at, 0) = value;
        CHECK_THROWS(NUMERICAL, choleskyOf(best(), a));
      }
}

CASE(triangular_systems) {
  for (const int64_t n : {0, 1, 2, 63, 64, 65, 130})
    for (const int64_t m : {0, 1, 3, 300}) {
      const Scope scope("n ", n, ", m ", m);
      const Matrix l = choleskyOf(best(), randomSystem(n, 15)), b = randomMatrix(n, m, 16);
      Matrix poisoned = l;  // what stands above the diagonal is not read
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = i + 1; j < n; ++j) poisoned(i, j) = kNaN;
      Matrix x = b, y = b;
      solveLower(best(), poisoned.data.data(), n, x.data.data(), m);
      CHECK_AT_MOST(difference(product(l, x), b), 1e-13);
      solveLowerTransposed(best(), poisoned.data.data(), n, y.data.data(), m);
      CHECK_AT_MOST(difference(product(l.transposed(), y), b), 1e-13);
    }
  for (const double value : {0.0, kNaN, kInfinity}) {
    Matrix l = identity(5), b = randomMatrix(5, 2, 17);
    l(3, 3) = value;
    CHECK_THROWS(NUMERICAL, solveLower(best(), l.data.data(), 5, b.data.data(), 2));
    CHECK_THROWS(NUMERICAL, solveLowerTransposed(best(), l.data.data(), 5, b.data.data(), 2));
    CHECK_THROWS(NUMERICAL, logDeterminant(l.data.data(), 5));
  }
}

CASE(log_determinants) {
  Random random(18);
  for (int i = 0; i < 1000; ++i) {
    const double x = std::ldexp(random.uniform(0.5, 1), random.below(2000) - 1000), expected = 2 * std::log(x);
    CHECK_NEAR(logDeterminant(&x, 1), expected, 4e-16 * std::fabs(expected) + 1e-15);
  }
  for (const double x : {1.0, std::nextafter(1.0, 2.0), std::nextafter(1.0, 0.0), 0.5, 2.0, 5e-324, 1.7e308})
    CHECK_NEAR(logDeterminant(&x, 1), 2 * std::log(x), 5e-16 * std::fabs(2 * std::log(x)));
  CHECK_EQUAL(logDeterminant(nullptr, 0), 0.0);
  const double negative = -1;
  CHECK_THROWS(NUMERICAL, logDeterminant(&negative, 1));
  // Where the determinant itself would be infinite.
  Matrix large = identity(400);
  for (int64_t i = 0; i < 400; ++i) large(i, i) = 1e10;
  CHECK_NEAR(logDeterminant(large.data.data(), 400), 8000 * std::log(10.0), 1e-9);
}

namespace {

// A = V diag V^T, V^T V = I, values in order, signs as agreed; all relative to the largest value.
void checkEigen(const Matrix& a, const Eigen& eigen) {
  const int64_t n = a.rows;
  double size = 0;
  for (const double value : eigen.values) size = std::max(size, std::fabs(value));
  const Matrix& v = eigen.vectors;
  Matrix scaled = v;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) scaled(i, j) *= eigen.values[static_cast<size_t>(j)];
  CHECK_AT_MOST(difference(multiplied(best(), scaled.operand(), v.operand().transposed()), a), 2e-14 * size);
  CHECK_AT_MOST(difference(multiplied(best(), v.operand().transposed(), v.operand()), identity(n)), 4e-14);
  CHECK(std::is_sorted(eigen.values.begin(), eigen.values.end(), std::greater<double>()));
  for (int64_t j = 0; j < n; ++j) {
    double extreme = 0;
    for (int64_t i = 0; i < n; ++i)
      if (std::fabs(v(i, j)) > std::fabs(extreme)) extreme = v(i, j);
    CHECK(extreme > 0);
  }
}

// V diag(values) V^T with a random orthogonal V.
Matrix withValues(const std::vector<double>& values, uint64_t seed) {
  const int64_t n = static_cast<int64_t>(values.size());
  const Matrix v = basisOf(best(), randomMatrix(n, n, seed)).vectors;
  Matrix scaled = v;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) scaled(i, j) *= values[static_cast<size_t>(j)];
  Matrix a = product(scaled, v.transposed());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) a(j, i) = a(i, j);
  return a;
}

}  // namespace

CASE(eigenvalues_of_random_matrices) {
  for (const int64_t n : {0, 1, 2, 3, 4, 31, 32, 33, 34, 65, 150, 301}) {
    const Scope scope("n ", n);
    const Matrix half = randomMatrix(n, n, 19);
    Matrix a(n, n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) a(i, j) = half(i, j) + half(j, i);
    const Eigen eigen = eigenOf(best(), a);
    checkEigen(a, eigen);
    // The lower triangle is enough.
    Matrix lower = a;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i + 1; j < n; ++j) lower(i, j) = kNaN;
    CHECK(eigenOf(best(), lower).vectors == eigen.vectors);
  }
}

CASE(known_eigenvalues) {
  Matrix a(2, 2);
  a.data = {2, 1, 1, 2};
  const Eigen two = eigenOf(best(), a);
  CHECK_NEAR(two.values[0], 3, 1e-15);
  CHECK_NEAR(two.values[1], 1, 1e-15);
  for (const double x :
       {two.vectors(0, 0), two.vectors(1, 0), std::fabs(two.vectors(0, 1)), std::fabs(two.vectors(1, 1))})
    CHECK_NEAR(x, std::sqrt(0.5), 1e-15);

  // The second difference: 2 - 2 cos(k pi / (n + 1)).
  const int n = 100;
  Matrix t(n, n);
  for (int i = 0; i < n; ++i) {
    t(i, i) = 2;
    if (i > 0) t(i, i - 1) = t(i - 1, i) = -1;
  }
  const Eigen differences = eigenOf(best(), t);
  for (int k = 0; k < n; ++k)
    CHECK_NEAR(differences.values[static_cast<size_t>(k)], 2 - 2 * std::cos((n - k) * 3.14159265358979324 / (n + 1)),
               1e-14);

  // Wilkinson's W21+, whose largest pairs agree to 14 digits.
  Matrix w(21, 21);
  for (int i = 0; i < 21; ++i) {
    w(i, i) = std::abs(i - 10);
    if (i > 0) w(i, i - 1) = w(i - 1, i) = 1;
  }
  const Eigen wilkinson = eigenOf(best(), w);
  checkEigen(w, wilkinson);
  CHECK_NEAR(wilkinson.values[0], 10.746194182903393, 2e-14);
  CHECK_NEAR(wilkinson.values[1], 10.746194182903322, 2e-14);
  CHECK_NEAR(wilkinson.values[20], -1.1254415221199847, 2e-14);
}

CASE(eigenvalues_that_are_clustered_zero_or_far_apart) {
  const auto check = [](const char* name, const Matrix& a, const std::vector<double>& expected) {
    const Scope scope(name);
    const Eigen eigen = eigenOf(best(), a);
    checkEigen(a, eigen);
    double size = 0;
    for (const double value : expected) size = std::max(size, std::fabs(value));
    for (size_t i = 0; i < expected.size(); ++i) CHECK_NEAR(eigen.values[i], expected[i], 1e-14 * size);
  };
  const int n = 90;
  check("zero", Matrix(n, n), std::vector<double>(n, 0.0));
  check("identity", identity(n), std::vector<double>(n, 1.0));
  std::vector<double> values(n);
  values[0] = n;
  check("ones", Matrix(n, n, 1), values);
  for (int i = 0; i < n; ++i) values[i] = i < 7 ? 7 - i : 0;
  check("rank 7", withValues(values, 20), values);
  for (int i = 0; i < n; ++i) values[i] = i < 30 ? 1 : i < 60 ? 1 - 1e-15 : -2;
  check("clusters", withValues(values, 21), values);
  for (int i = 0; i < n; ++i) values[i] = std::pow(0.5, i);
  check("powers of two", withValues(values, 22), values);
  Matrix graded(n, n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) graded(i, j) = std::pow(10.0, -(i + j) / 2.0);
  const Eigen eigen = eigenOf(best(), graded);
  checkEigen(graded, eigen);
  Matrix reversed(n, n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) reversed(i, j) = graded(n - 1 - i, n - 1 - j);
  checkEigen(reversed, eigenOf(best(), reversed));
  // A diagonal keeps its numbers, and zero blocks do not disturb each other.
  Matrix diagonal(5, 5);
  for (int i = 0; i < 5; ++i) diagonal(i, i) = i == 2 ? 1e-30 : i - 1.0;
  const Eigen exact = eigenOf(best(), diagonal);
  CHECK((exact.values == std::vector<double>{3, 2, 1e-30, 0, -1}));
}

CASE(eigenvalues_of_matrices_of_any_size_of_numbers) {
  const Matrix a = randomSystem(40, 23);
  const Eigen expected = eigenOf(best(), a);
  for (const int exponent : {-1010, -600, -1, 1, 600, 1010}) {
    const Scope scope("2^", exponent);
    Matrix scaled = a;
    for (double& value : scaled.data) value = std::ldexp(value, exponent);
    const Eigen eigen = eigenOf(best(), scaled);
    CHECK(eigen.vectors == expected.vectors);
    for (size_t i = 0; i < 40; ++i) CHECK_EQUAL(eigen.values[i], std::ldexp(expected.values[i], exponent));
  }
  // Within one matrix, too.
  Random random(24);
  for (int trial = 0; trial < 200; ++trial) {
    const int64_t n = 1 + random.below(12);
    const int range = 1 + random.below(1000);
    Matrix m(n, n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j <= i; ++j)
        m(i, j) = m(j, i) = random.chance(0.3) ? 0 : std::ldexp(random.uniform(-1, 1), -random.below(range));
    checkEigen(m, eigenOf(best(), m));
  }
}

CASE(eigenvalues_refuse_what_is_not_finite) {
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    Matrix a = randomSystem(20, 25);
    a(7, 3) = value;
    CHECK_THROWS(NUMERICAL, eigenOf(best(), a));
  }
}

namespace {

void checkBasis(const Matrix& a, const Basis& basis, const std::vector<int>& columns) {
  CHECK(basis.columns == columns);
  const Matrix& q = basis.vectors;
  const Matrix qt = q.transposed();
  CHECK_AT_MOST(difference(product(qt, q), identity(q.columns)), 3e-15);
  // Q^T A is upper triangular in the columns kept, and Q Q^T A = A.
  const Matrix r = product(qt, a), back = product(q, r);
  for (int64_t j = 0; j < a.columns; ++j) {
    double size = 0;
    for (int64_t i = 0; i < a.rows; ++i) size = std::max(size, std::fabs(a(i, j)));
    for (int64_t i = 0; i < a.rows; ++i) CHECK_NEAR(back(i, j), a(i, j), 1e-13 * size);
    for (size_t k = 0; k < columns.size(); ++k) {
      if (columns[k] > j) CHECK_NEAR(r(static_cast<int64_t>(k), j), 0, 1e-13 * size);
      if (columns[k] == j) CHECK(r(static_cast<int64_t>(k), j) > 0);
    }
  }
}

std::vector<int> upTo(int64_t n) {
  std::vector<int> numbers(static_cast<size_t>(n));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
  return numbers;
}

}  // namespace

CASE(orthonormal_bases) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {70, 32}, {70, 33}, {100, 100}, {700, 65}}) {
    const Scope scope(m, " x ", n);
    const Matrix a = randomMatrix(m, n, 26);
    checkBasis(a, basisOf(best(), a), upTo(n));
  }
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{0, 0}, {0, 4}, {4, 0}}) {
    const Basis basis = basisOf(best(), Matrix(m, n));
    CHECK(basis.columns.empty());
  }
  // More columns than rows: the first ones span it all.
  checkBasis(randomMatrix(20, 90, 27), basisOf(best(), randomMatrix(20, 90, 27)), upTo(20));
}

CASE(dependent_columns_are_left_out) {
  // Every third column is a combination of the two before it, one is zero, one is repeated far from the first.
  const int64_t m = 120, n = 80;
  Matrix a = randomMatrix(m, n, 28);
  std::vector<int> kept;
  for (int64_t j = 0; j < n; ++j) {
    const bool combination = j % 3 == 2, zero = j == 40, copy = j == 70;
    if (!combination && !zero && !copy) kept.push_back(static_cast<int>(j));
    for (int64_t i = 0; i < m; ++i)
      if (copy)
        a(i, j) = -1e200 * a(i, 3);
      else if (zero)
        a(i, j) = 0;
      else if (combination)
        a(i, j) = 3 * a(i, j - 1) - 0.7 * a(i, j - 2);
  }
  checkBasis(a, basisOf(best(), a), kept);
  CHECK(basisOf(best(), Matrix(m, 3)).columns.empty());
}

CASE(columns_that_are_nearly_dependent_are_kept_and_made_orthogonal) {
  for (const double news : {1e-4, 1e-8, 1e-11}) {
    const Scope scope(news);
    const int64_t m = 200, n = 90;
    Matrix a = randomMatrix(m, n, 29);
    for (int64_t j = 1; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) a(i, j) = a(i, 0) + news * a(i, j);
    const Basis basis = basisOf(best(), a);
    CHECK(basis.columns == upTo(n));
    CHECK_AT_MOST(difference(product(basis.vectors.transposed(), basis.vectors), identity(n)), 3e-15);
    // Unless news of that size count as none.
    CHECK_EQUAL(basisOf(best(), a, 10 * news).columns.size(), 1u);
  }
  // Columns of very different lengths count the same.
  Matrix a = randomMatrix(50, 40, 30);
  for (int64_t j = 0; j < 40; ++j)
    for (int64_t i = 0; i < 50; ++i) a(i, j) = std::ldexp(a(i, j), static_cast<int>(50 * (j - 20)));
  checkBasis(a, basisOf(best(), a), upTo(40));
  a(49, 39) = kNaN;
  CHECK_THROWS(NUMERICAL, basisOf(best(), a));
}

CASE(symmetry) {
  CHECK(isSymmetric(nullptr, 0));
  Matrix a = randomSystem(70, 31);
  CHECK(isSymmetric(a.data.data(), 70));
  a(69, 2) += 1e-11;
  CHECK(isSymmetric(a.data.data(), 70));
  a(69, 2) += 1;
  CHECK(!isSymmetric(a.data.data(), 70));
  a = randomSystem(70, 31);
  a(3, 66) = -a(3, 66);
  CHECK(!isSymmetric(a.data.data(), 70));
}

CASE(loops_run_each_round_once_and_pass_errors_on) {
  ThreadPool pool(3, 8);
  const Parallel parallel(&pool);
  for (const int64_t count : {0, 1, 2, 3, 1000}) {
    std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
    parallel(count, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
    for (const auto& each : calls) CHECK_EQUAL(each.load(), 1);
  }
  for (int64_t bad : {0, 5, 99}) {
    std::atomic<int> calls{0};
    const auto run = [&] {
      parallel(100, [&](int64_t i) {
        ++calls;
        if (i == bad) throw Error(ErrorCode::NUMERICAL, "as planned");
      });
    };
    CHECK_THROWS(NUMERICAL, run());
    CHECK_EQUAL(calls.load(), 100);
  }
}

CASE(a_busy_pool_is_not_waited_for) {
  std::mutex mutex;
  std::condition_variable wake;
  bool release = false;
  ThreadPool pool(2, 2);
  const auto block = [&] {
    Job job;
    job.taskCount = 2;
    job.run = [&](int, int) {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return release; });
    };
    job.done = [](std::exception_ptr) {};
    return job;
  };
  // Both threads are kept, and then the queue is full as well.
  pool.submit(block());
  for (int filled = 0; filled < 3; ++filled) {
    int64_t sum = 0;
    const Parallel parallel(&pool);
    parallel(10, [&](int64_t i) { sum += i; });
    CHECK_EQUAL(sum, 45);
  }
  {
    const std::lock_guard<std::mutex> lock(mutex);
    release = true;
  }
  wake.notify_all();
}

namespace {

// One number for the bits of results (Fowler, Noll and Vo's hash).
class Fingerprint {
 public:
  void add(const double* data, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      uint64_t bits;
      std::memcpy(&bits, data + i, sizeof bits);
      for (int byte = 0; byte < 8; ++byte) value_ = (value_ ^ (bits >> (8 * byte) & 0xff)) * 1099511628211u;
    }
  }
  void add(const Matrix& m) { add(m.data.data(), m.data.size()); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 14695981039346656037u;
};

uint64_t fingerprintOf(const Engine& engine) {
  Fingerprint print;
  for (const auto& [m, k, n] : kShapes) {
    const Matrix a = randomMatrix(m, k, 32), b = randomMatrix(k, n, 33);
    print.add(multiplied(engine, a.operand(), b.operand()));
  }
  for (const int64_t n : {1, 2, 31, 64, 67, 150}) {
    const Matrix a = randomSystem(n, 34);
    const Matrix l = choleskyOf(engine, a);
    print.add(l);
    Matrix b = randomMatrix(n, 37, 35);
    solveLower(engine, l.data.data(), n, b.data.data(), 37);
    print.add(b);
    solveLowerTransposed(engine, l.data.data(), n, b.data.data(), 37);
    print.add(b);
    const double log = logDeterminant(l.data.data(), n);
    print.add(&log, 1);
    const Eigen eigen = eigenOf(engine, a);
    print.add(eigen.values.data(), eigen.values.size());
    print.add(eigen.vectors);
    print.add(basisOf(engine, randomMatrix(2 * n, n, 36)).vectors);
  }
  // Large enough for every loop to be shared.
  const Matrix tall = randomMatrix(3000, 70, 37);
  Matrix g(70, 70);
  gram(engine, tall.operand(), Update::kSet, g.data.data(), 70);
  print.add(g);
  print.add(basisOf(engine, tall).vectors);
  const Matrix a = randomSystem(333, 38);
  print.add(choleskyOf(engine, a));
  print.add(eigenOf(engine, a).vectors);
  return print.value();
}

}  // namespace

CASE(the_same_bits_from_every_instruction_set_any_number_of_threads_and_every_machine) {
  // From an AVX-512 machine; a change of the algorithms changes it, nothing else may.
  const uint64_t expected = 10459214965735792045u;
  for (const LinearKernels* kernels : linearKernels()) {
    const Scope scope(kernels->name);
    CHECK_EQUAL(fingerprintOf({*kernels, Parallel()}), expected);
  }
  for (const int threads : {2, 3, 8}) {
    const Scope scope(threads, " threads");
    ThreadPool pool(threads, 16);
    CHECK_EQUAL(fingerprintOf({*linearKernels().front(), Parallel(&pool)}), expected);
  }
}

CASE(instruction_sets) {
  for (const LinearKernels* kernels : linearKernels()) {
    CHECK(findLinearKernels(kernels->name) == kernels);
    CHECK(kernels->tileRows * kernels->tileColumns <= kMaximumTile);
  }
  CHECK(findLinearKernels("none") == nullptr);
  // Sets that are about narrower numbers have none of their own.
  for (const char* set : {"avx512bf16", "amx"}) CHECK(&linearKernelsFor(set) == linearKernels().front());
  for (const LinearKernels* kernels : linearKernels()) CHECK(&linearKernelsFor(kernels->name) == kernels);
  CHECK(std::strcmp(linearKernels().back()->name, "portable") == 0);
}

int main(int argc, char** argv) { return runCases(argc, argv); }
