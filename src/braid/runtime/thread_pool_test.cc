// The pool runs every part once, whoever calls, and changes no result of an execution.
#include "braid/runtime/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace braid::runtime {
namespace {

TEST(ThreadPoolTest, RunsEveryPartOnce) {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    for (const int parts : {0, 1, 2, 3, 7, 64}) {
      std::array<std::atomic<int>, 64> seen{};
      for (int round = 0; round < 50; ++round) {
        pool.Run(parts, [&](int part) { ++seen[static_cast<size_t>(part)]; });
      }
      for (int part = 0; part < 64; ++part) {
        EXPECT_EQ(seen[static_cast<size_t>(part)], part < parts ? 50 : 0);
      }
    }
  }
}

TEST(ThreadPoolTest, ServesCallersAtTheSameTime) {
  ThreadPool pool(3);
  std::atomic<int> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) pool.Run(5, [&](int part) { sum += part; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 200 * 10);
}

TEST(ThreadPoolTest, FindsAProcessor) { EXPECT_GE(UsableProcessors(), 1); }

TEST(ThreadPoolTest, ExecutionsGiveTheSameBitsOnAnyNumberOfThreads) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const model::Network network = testing::RandomNetwork(
        seed, {.groups = 2, .concatenations = seed % 2 == 1, .filters = seed % 3 == 1});
    const GroupSet both = GroupSet::First(2);
    const int sub_network = model::FindSubNetwork(network, both);
    const auto head = static_cast<model::LayerIndex>(network.layers.size()) - 1;
    const int n = 1 + static_cast<int>(seed % 20);
    const auto pixels = testing::RandomPixels(seed, network, n);
    const auto expected =
        testing::DirectLogitsOfBatch(network, sub_network, head, pixels, n);
    for (const kernels::Path path : kernels::SupportedPaths()) {
      for (const int threads : {1, 2, 3}) {
        // Parts of any size, so that networks as small as these are divided at all.
        auto model = PreparedModel::Prepare(network, both, path, {threads, 1}).value();
        auto plan = Plan::Make(*model, {.groups = both, .local = both, .max_batch = 20,
                                        .exits = false}).value();
        auto execution = Execution::Create(*plan);
        ASSERT_TRUE(execution->Start(pixels, n).ok());
        ASSERT_EQ(execution->Resume(), Step::kDone);
        std::vector<int32_t> logits(execution->Logits().begin(), execution->Logits().end());
        FinishLogits(network, sub_network, head, logits);
        ASSERT_EQ(logits, expected)
            << "seed " << seed << " " << kernels::PathName(path) << " threads " << threads;
      }
    }
  }
}

}  // namespace
}  // namespace braid::runtime
