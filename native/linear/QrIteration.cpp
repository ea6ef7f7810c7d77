// The eigenvalues and eigenvectors of a tridiagonal matrix, by implicitly shifted QR iterations (Golub and Van Loan
// 2013, section 8.3), which chase the bulge from either end. The rotations of many sweeps are gathered and then applied
// to the vectors strip by strip, which stays in the cache meanwhile.
#include <cmath>
#include <vector>

#include "core/Error.h"
#include "linear/Tridiagonal.h"

namespace sfm::linear {

namespace {

constexpr int64_t kStrip = 32;  // columns of Q^T that are rotated together
constexpr int64_t kSweepsAtOnce = 32;
constexpr int64_t kSweepsPerValue = 60;  // two are usual

struct Rotation {
  double c, s;
};

// c p + s q = length, c q - s p = 0.
Rotation rotationOnto(double p, double q, double* length) {
  double square = p * p + q * q;
  if (square < 0x1p-900) {
    // Here squares lose their accuracy.
    p *= 0x1p500;
    q *= 0x1p500;
    square = p * p + q * q;
    if (square < 0x1p-900) {
      *length = 0;
      return {1, 0};
    }
    const double root = std::sqrt(square);
    *length = root * 0x1p-500;
    return {p / root, q / root};
  }
  *length = std::sqrt(square);
  return {p / *length, q / *length};
}

// Sweeps over the rows of Q^T that wait to be applied.
class Rotations {
 public:
  Rotations(const Engine& engine, double* q, int64_t n) : engine_(engine), q_(q), n_(n) {}

  // A sweep from `row` on, `step` (1 or -1) rows at a time.
  void begin(int64_t row, int64_t step) { sweeps_.push_back({row, step, rotations_.size()}); }
  void add(Rotation rotation) { rotations_.push_back(rotation); }
  void end() {
    if (static_cast<int64_t>(rotations_.size()) >= kSweepsAtOnce * n_) apply();
  }

  void apply() {
    engine_.parallel((n_ + kStrip - 1) / kStrip, [&](int64_t task) {
      const int64_t column = task * kStrip, width = std::min(kStrip, n_ - column);
      for (size_t i = 0; i < sweeps_.size(); ++i) {
        const size_t end = i + 1 < sweeps_.size() ? sweeps_[i + 1].first : rotations_.size();
        engine_.kernels.rotateRows(q_ + sweeps_[i].row * n_ + column, sweeps_[i].step * n_, width,
                                   &rotations_[sweeps_[i].first].c, static_cast<int64_t>(end - sweeps_[i].first));
      }
    });
    sweeps_.clear();
    rotations_.clear();
  }

 private:
  struct Sweep {
    int64_t row, step;
    size_t first;
  };
  const Engine& engine_;
  double* const q_;
  const int64_t n_;
  std::vector<Sweep> sweeps_;
  std::vector<Rotation> rotations_;
};

// The rows first..last of T, seen from the top or, with `step` -1, from the bottom.
struct Block {
  double* diagonal;
  double* offDiagonal;
  int64_t first, last, step;

  double& d(int64_t i) const { return diagonal[first + i * step]; }
  double& e(int64_t i) const { return offDiagonal[step > 0 ? first + i : first - i - 1]; }
  int64_t size() const { return (last - first) * step + 1; }
};

// The eigenvalue of the last 2x2 block that is nearer to its last number (Wilkinson's shift).
double shiftOf(const Block& block) {
  const int64_t k = block.size() - 1;
  const double e = block.e(k - 1), g = (block.d(k - 1) - block.d(k)) / (2 * e), r = std::sqrt(g * g + 1);
  return block.d(k) - e / (g > 0 ? g + r : g - r);
}

void sweep(const Block& block, Rotations& rotations) {
  const int64_t n = block.size();
  double p = block.d(0) - shiftOf(block), q = block.e(0);
  rotations.begin(block.first, block.step);
  for (int64_t k = 0; k + 1 < n; ++k) {
    double length;
    const Rotation rotation = rotationOnto(p, q, &length);
    const double c = rotation.c, s = rotation.s;
    if (k > 0) block.e(k - 1) = length;
    const double change = s * (block.d(k + 1) - block.d(k)) + 2 * c * block.e(k);
    block.d(k) += s * change;
    block.d(k + 1) -= s * change;
    p = block.e(k) = c * change - block.e(k);
    if (k + 2 < n) {
      q = s * block.e(k + 1);
      block.e(k + 1) *= c;
    }
    rotations.add(rotation);
  }
  rotations.end();
}

}  // namespace

void diagonalise(const Engine& engine, Tridiagonal& tridiagonal) {
  const int64_t n = tridiagonal.n;
  double* d = tridiagonal.diagonal.data();
  double* e = tridiagonal.offDiagonal.data();
  // T's norm, and what may be dropped from it: as much as the reduction to T has lost already.
  double norm = 0;
  for (int64_t i = 0; i < n; ++i) norm = std::max(norm, std::fabs(d[i]) + (i + 1 < n ? std::fabs(e[i]) : 0));
  const double negligible = 0x1p-54 * norm;

  Rotations rotations(engine, tridiagonal.rotation.data(), n);
  int64_t sweepsLeft = kSweepsPerValue * n;
  for (int64_t last = n - 1; last > 0;) {
    // The last block that no zero divides.
    int64_t first = last;
    while (first > 0 && std::fabs(e[first - 1]) > negligible) --first;
    if (first == last) {
      --last;
      continue;
    }
    if (sweepsLeft-- == 0) throw Error(ErrorCode::NUMERICAL, "the eigenvalues do not converge");
    // Towards the end with the smaller numbers, which then lose nothing to the larger.
    if (std::fabs(d[last]) < std::fabs(d[first]))
      sweep({d, e, first, last, 1}, rotations);
    else
      sweep({d, e, last, first, -1}, rotations);
  }
  rotations.apply();
}

}  // namespace sfm::linear
