#include "cpu/JointImage.h"

#include <atomic>
#include <utility>

namespace sfm {

template <class Real>
JointFactors<Real>::JointFactors(const LandmarkBasis& basis) {
  const size_t ld = static_cast<size_t>(systemColumns(basis)), d = static_cast<size_t>(basis.tangentCount),
               columns = static_cast<size_t>(sharedColumns(basis));
  own = AlignedBuffer<Real>::uninitialised((ld + kRowSlack) * ld);
  shared =
      AlignedBuffer<Real>::uninitialised((static_cast<size_t>(wholeTiles(basis.tangentCount)) + kRowSlack) * columns);
  information = AlignedBuffer<Real>::uninitialised(packedTriangle(basis.tangentCount));
  scaleRow = AlignedBuffer<Real>(d);
  ownRight = AlignedBuffer<Real>(ld);
  sharedRight = AlignedBuffer<Real>(columns);
  held = AlignedBuffer<bool>(static_cast<size_t>(basis.expressionCount));
}

template <class Real>
void JointFactors<Real>::takeSystem(AlignedBuffer<Real>* system) {
  own = std::move(*system);  // which swaps them
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
