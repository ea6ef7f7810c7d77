#include "core/Posterior.h"

#include <vector>

namespace sfm {

void whitenPosterior(const FaceModel& model, double identityPrior, double* information, double* shift) {
  const size_t d = static_cast<size_t>(model.tangentCount());
  const auto packed = [](size_t i, size_t j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; };
  std::vector<double> h(d);
  for (size_t i = 0; i < d; ++i)
    for (size_t j = 0; j < d; ++j) h[i] += information[packed(i, j)] * shift[j];
  const std::vector<double>& l = model.priorFactor();
  if (!l.empty()) {
    // L by its rows' numbers from the first on that is not 0, which is often the one on the diagonal.
    std::vector<size_t> first(d);
    for (size_t k = 0; k < d; ++k)
      while (first[k] < k && l[k * d + first[k]] == 0) ++first[k];
    std::vector<double> product(d * d), result(d * d), turned(d);  // H L, L^T H L, L^T h
    for (size_t i = 0; i < d; ++i)
      for (size_t k = 0; k < d; ++k) {
        const double value = information[packed(i, k)];
        for (size_t j = first[k]; j <= k; ++j) product[i * d + j] += value * l[k * d + j];
      }
    for (size_t k = 0; k < d; ++k)
      for (size_t i = first[k]; i <= k; ++i) {
        const double value = l[k * d + i];
        for (size_t j = 0; j <= i; ++j) result[i * d + j] += value * product[k * d + j];
        turned[i] += value * h[k];
      }
    for (size_t i = 0; i < d; ++i) {
      for (size_t j = 0; j <= i; ++j) information[packed(i, j)] = result[i * d + j];
      h[i] = turned[i];
    }
  }
  for (size_t i = 0; i < d; ++i) {
    information[packed(i, i)] -= identityPrior;
    shift[i] = h[i];
  }
}

}  // namespace sfm
