#include "core/JointEvidence.h"

#include "core/Error.h"
#include "linear/Cholesky.h"
#include "linear/Product.h"

namespace sfm {

bool personEvidence(const FaceModel& model, double identityPrior, const PersonLink& link, bool linked, const double* v,
                    double* information, double* gradient) {
  const size_t d = static_cast<size_t>(model.tangentCount());
  const auto n = static_cast<int64_t>(d);
  const std::vector<double>& own = model.priorPrecision();
  // H + P, and its gradient, whichever prior the fit had.
  std::vector<double> system(d * d), step(gradient, gradient + d);
  for (size_t i = 0, at = 0; i < d; ++i)
    for (size_t j = 0; j <= i; ++j, ++at) system[i * d + j] = information[at];
  if (!linked) {
    for (size_t i = 0; i < d; ++i) {
      for (size_t j = 0; j < d; ++j) {
        const double prior = identityPrior * (own.empty() ? (i == j ? 1 : 0) : own[i * d + j]);
        system[i * d + j] += link.precision[i * d + j] - prior;
        step[i] += link.precision[i * d + j] * (v[j] - link.mean[j]) - prior * v[j];
      }
    }
  }
  std::vector<double> coupled = link.coupling, result = link.person;
  try {
    const linear::Engine engine{*linear::linearKernels().front(), linear::Parallel()};
    linear::cholesky(engine, system.data(), n);
    linear::solveLower(engine, system.data(), n, step.data(), 1);
    linear::solveLowerTransposed(engine, system.data(), n, step.data(), 1);
    linear::solveLower(engine, system.data(), n, coupled.data(), n);
    const linear::Operand half = linear::rowMajor(coupled.data(), n, n, n);
    linear::multiply(engine, half.transposed(), half, linear::Update::kSubtract, result.data(), n,
                     linear::Part::kLower);
  } catch (const Error&) {
    return false;
  }
  for (size_t i = 0, at = 0; i < d; ++i) {
    gradient[i] = 0;
    for (size_t j = 0; j <= i; ++j, ++at) information[at] = result[i * d + j];
  }
  for (size_t j = 0; j < d; ++j) {
    const double off = link.mean[j] - (v[j] - step[j]);
    for (size_t i = 0; i < d; ++i) gradient[i] += link.coupling[j * d + i] * off;
  }
  return true;
}

}  // namespace sfm
