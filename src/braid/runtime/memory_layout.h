// Places buffers with known lifetimes into one arena. Layer: runtime. Method: largest first, each
// at the lowest offset that is free for its whole lifetime (Pisarchyk and Lee, "Efficient Memory
// Management for Deep Neural Net Inference", 2020, greedy by size).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace braid::runtime {

// Lives through steps [first_step, last_step], both included.
struct BufferLifetime {
  int64_t bytes = 0;
  int first_step = 0;
  int last_step = 0;
};

struct MemoryLayout {
  std::vector<int64_t> offsets;  // [buffers], multiples of kAlignmentBytes
  int64_t total_bytes = 0;
};

// Buffers whose lifetimes meet never overlap. Time grows with the square of their number.
MemoryLayout LayOut(std::span<const BufferLifetime> buffers);

}  // namespace braid::runtime
