#include "cpu/JointImage.h"

#include <atomic>

namespace sfm {

template <class Real>
JointFactors<Real>::JointFactors(const LandmarkBasis& basis) {
  const int most = kPoseCapacity + basis.nuisanceCount + basis.expressionCount;
  const size_t ld = static_cast<size_t>(paddedColumns(most + basis.tangentCount));
  const size_t columns = static_cast<size_t>(sharedColumns(basis)),
               shares = static_cast<size_t>(basis.tangentCount) + 1;
  own = AlignedBuffer<Real>::uninitialised(static_cast<size_t>(most + kRowSlack) * ld);
  shared = AlignedBuffer<Real>::uninitialised((shares + kRowSlack) * columns);
  schurColumns = paddedColumns(basis.tangentCount + 1);
  schur = AlignedBuffer<Real>::uninitialised(shares * static_cast<size_t>(schurColumns));
  ownRight = AlignedBuffer<Real>(ld);
  sharedRight = AlignedBuffer<Real>(columns);
}

template <class Real>
void JointWorkspace<Real>::lend(std::shared_ptr<JointFactors<Real>>* factors) {
  for (size_t i = 0; i < made.size(); ++i) {
    next = (next + 1) % made.size();
    if (made[next].use_count() != 1) continue;
    std::atomic_thread_fence(std::memory_order_acquire);  // what others did with them is done
    *factors = made[next];
    (*factors)->valid = false;
    return;
  }
  *factors = std::make_shared<JointFactors<Real>>(basis);
  if (made.size() < kMostKept) made.push_back(*factors);
}

template struct JointFactors<float>;
template struct JointFactors<double>;
template struct JointWorkspace<float>;
template struct JointWorkspace<double>;

}  // namespace sfm
