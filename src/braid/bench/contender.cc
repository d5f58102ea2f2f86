#include "braid/bench/contender.h"

#include <cstdlib>

namespace braid::bench {

Status CheckOutput(const Problem& problem, const Contender& contender) {
  const std::vector<uint8_t> output = contender.Output();
  if (output.size() != problem.expected.size()) return Internal("output of another size");
  for (size_t i = 0; i < output.size(); ++i) {
    if (std::abs(int{output[i]} - int{problem.expected[i]}) <= contender.tolerance()) continue;
    const auto n = static_cast<size_t>(problem.shape.n);
    return DataLoss("row " + std::to_string(i / n) + ", channel " + std::to_string(i % n) +
                    ": expected " + std::to_string(problem.expected[i]) + ", got " +
                    std::to_string(output[i]));
  }
  return OkStatus();
}

}  // namespace braid::bench
