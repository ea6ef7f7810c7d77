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
    std::vector<double> product(d * d);  // H L
    for (size_t i = 0; i < d; ++i)
      for (size_t k = 0; k < d; ++k)
        for (size_t j = 0; j <= k; ++j) product[i * d + j] += information[packed(i, k)] * l[k * d + j];
    for (size_t i = 0; i < d; ++i)
      for (size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (size_t k = i; k < d; ++k) sum += l[k * d + i] * product[k * d + j];
        information[packed(i, j)] = sum;
      }
    for (size_t i = 0; i < d; ++i) {
      double sum = 0;
      for (size_t k = i; k < d; ++k) sum += l[k * d + i] * h[k];
      h[i] = sum;
    }
  }
  for (size_t i = 0; i < d; ++i) {
    information[packed(i, i)] -= identityPrior;
    shift[i] = h[i];
  }
}

}  // namespace sfm
