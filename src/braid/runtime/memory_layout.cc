#include "braid/runtime/memory_layout.h"

#include <algorithm>
#include <numeric>

#include "braid/runtime/aligned_buffer.h"

namespace braid::runtime {
namespace {

bool LifetimesMeet(const BufferLifetime& a, const BufferLifetime& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

MemoryLayout LayOut(std::span<const BufferLifetime> buffers) {
  std::vector<size_t> largest_first(buffers.size());
  std::iota(largest_first.begin(), largest_first.end(), size_t{0});
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  MemoryLayout layout;
  layout.offsets.assign(buffers.size(), 0);
  std::vector<size_t> placed;  // by ascending offset
  for (const size_t index : largest_first) {
    const int64_t bytes = AlignUp(buffers[index].bytes);
    int64_t offset = 0;
    for (const size_t other : placed) {
      if (!LifetimesMeet(buffers[index], buffers[other])) continue;
      if (offset + bytes <= layout.offsets[other]) break;  // fits in the gap below `other`
      offset = std::max(offset, layout.offsets[other] + AlignUp(buffers[other].bytes));
    }
    layout.offsets[index] = offset;
    layout.total_bytes = std::max(layout.total_bytes, offset + bytes);
    const auto position = std::upper_bound(
        placed.begin(), placed.end(), offset,
        [&](int64_t value, size_t other) { return value < layout.offsets[other]; });
    placed.insert(position, index);
  }
  return layout;
}

}  // namespace braid::runtime
