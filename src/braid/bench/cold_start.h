// Time from the start of the program `braid` to its first answer. Layer: bench.
#pragma once

#include <string>

#include "braid/base/status.h"
#include "braid/bench/rounds.h"

namespace braid::bench {

// Milliseconds from starting a process until it has ended, over `runs` runs, of
// `braid bench-first-answer`: load the program and the model, pack weights, generate code, answer
// one image. NOT_FOUND where `braid` does not lie beside this program.
Result<Spread> ColdStartMs(const std::string& model, const std::string& point, int runs);

}  // namespace braid::bench
