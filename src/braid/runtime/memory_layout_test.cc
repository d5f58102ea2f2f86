// Buffers that live at the same time never share a byte; buffers that do not, do. What a plan's take.
#include "braid/runtime/memory_layout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "braid/base/rng.h"
#include "braid/runtime/activation_memory.h"
#include "braid/runtime/aligned_buffer.h"
#include "braid/runtime/testing/random_network.h"

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

TEST(ActivationMemoryTest, IsThePlansArenaAndWithFloatMapsUpToFourTimesAsMuch) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const model::Network network = testing::RandomNetwork(seed, {.groups = 2});
    const GroupSet both = GroupSet::First(2);
    const auto model = PreparedModel::Prepare(network, both, kernels::BestPath()).value();
    const PlanSpec spec{.groups = both, .local = both, .max_batch = 3, .exits = false};
    const Result<ActivationMemory> memory = MeasureActivationMemory(*model, spec);
    ASSERT_TRUE(memory.ok()) << memory.status().ToString();
    EXPECT_EQ(memory->integer_maps, Plan::Make(*model, spec).value()->arena_bytes());
    EXPECT_GT(memory->float_maps, memory->integer_maps);
    EXPECT_LE(memory->float_maps, 4 * memory->integer_maps);
  }
  // Two maps of 14x14x16 at a time, with rings, decide: nothing but them is large.
  const model::Network network = testing::SmallImageNetwork(1, 1, 16);
  const GroupSet one = GroupSet::First(1);
  const auto model = PreparedModel::Prepare(network, one, kernels::BestPath()).value();
  const auto memory = MeasureActivationMemory(*model, {.groups = one, .local = one});
  ASSERT_TRUE(memory.ok());
  EXPECT_GT(memory->float_maps, 3 * memory->integer_maps);
  EXPECT_EQ(MeasureActivationMemory(*model, {.groups = GroupSet(2), .local = one}).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace braid::runtime
