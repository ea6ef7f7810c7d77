// How block principal pivoting (Judice and Pires 1994) goes from one guess of the active bounds to the next: every
// variable that contradicts the guess moves; where the number of contradictions stops falling, one at a time (Murty's
// rule, which is finite).
#pragma once

#include "core/Platform.h"

namespace sfm {

struct Pivoting {
  int fewest;  // contradictions so far; at first more than there can be
  int patience = 3;
};

// Whether all of them move, or only the last.
SFM_HD bool movesAll(int contradictions, Pivoting* p) {
  if (contradictions < p->fewest) {
    p->fewest = contradictions;
    p->patience = 3;
  } else if (p->patience > 0) {
    --p->patience;
  } else {
    return false;
  }
  return true;
}

SFM_HD int mostRounds(int variables) { return 3 * variables + 20; }

}  // namespace sfm
