// Buffers that live at the same time never share a byte; buffers that do not, do.
#include "braid/runtime/memory_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "braid/base/rng.h"
#include "braid/runtime/aligned_buffer.h"

namespace braid::runtime {
namespace {

TEST(MemoryLayoutTest, NeverOverlapsBuffersThatLiveTogether) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::vector<BufferLifetime> buffers(rng.Below(40));
    for (BufferLifetime& b : buffers) {
      b.bytes = rng.Between(0, 1000);
      b.first_step = static_cast<int>(rng.Between(0, 20));
      b.last_step = b.first_step + static_cast<int>(rng.Between(0, 6));
    }
    const MemoryLayout layout = LayOut(buffers);
    for (size_t a = 0; a < buffers.size(); ++a) {
      ASSERT_EQ(layout.offsets[a] % kAlignmentBytes, 0);
      ASSERT_LE(layout.offsets[a] + buffers[a].bytes, layout.total_bytes);
      for (size_t b = 0; b < a; ++b) {
        const bool together = buffers[a].first_step <= buffers[b].last_step &&
                              buffers[b].first_step <= buffers[a].last_step;
        const bool overlap = layout.offsets[a] < layout.offsets[b] + buffers[b].bytes &&
                             layout.offsets[b] < layout.offsets[a] + buffers[a].bytes;
        ASSERT_FALSE(together && overlap) << "seed " << seed;
      }
    }
  }
}

TEST(MemoryLayoutTest, NeedsTwoMapsForAChain) {
  std::vector<BufferLifetime> chain;
  for (int step = 0; step < 10; ++step) chain.push_back({640, step, step + 1});
  EXPECT_EQ(LayOut(chain).total_bytes, 2 * 640);
}

TEST(MemoryLayoutTest, IsEmptyForNothing) { EXPECT_EQ(LayOut({}).total_bytes, 0); }

}  // namespace
}  // namespace braid::runtime
