// The ladder of versions: ways of computing one case that differ by one idea each, from plain loops
// to the generated convolution. Layer: bench. Results: docs/results/kernels.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "braid/bench/contender.h"

namespace braid::bench {

struct LadderStep {
  std::string name;
  std::unique_ptr<Contender> contender;
};

// Slowest idea first; all give the problem's expected output. `problem` reads u7 and outlives them:
//   interpreter       the scalar path, which interprets the shape
//   compiled loops    products by loops that the compiler vectorizes, requantization apart
//   PATH, apart       generated products into s32 memory, requantization apart; one a path
//   PATH, fused       the best path, which requantizes sums in registers
//   PATH, direct      convolutions only: the map is read in place
// A convolution's window is unrolled into a matrix, anew in each run, by all but the first and
// last.
Result<std::vector<LadderStep>> MakeLadder(const Problem& problem);

}  // namespace braid::bench
