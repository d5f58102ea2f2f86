// Plans and executions: the answer is the network's definition, on every path, on one device or
// split over several; what is wrong is refused.
#include "braid/runtime/execution.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "braid/base/rng.h"
#include "braid/model/file.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace braid::runtime {
namespace {

using model::LayerIndex;
using model::Network;
using testing::DirectLogitsOfBatch;
using testing::MakeDevice;
using testing::RandomNetwork;
using testing::RandomPixels;
using testing::RunSplit;
using testing::SplitDevice;

LayerIndex LastHead(const Network& network) {
  return static_cast<LayerIndex>(network.layers.size()) - 1;
}

std::vector<int32_t> OnOneDevice(const Network& network, const PlanSpec& spec, kernels::Path path,
                                 std::span<const uint8_t> pixels, int n) {
  std::vector<SplitDevice> device;
  device.push_back(MakeDevice(network, spec, path));
  return RunSplit(network, device, pixels, n, 0);
}

TEST(RandomNetworkTest, GivesValidNetworks) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Network network =
        RandomNetwork(seed, {.groups = 1 + static_cast<int>(seed % 4), .exits = seed % 2 == 0});
    const Status status = model::Validate(network);
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status.ToString();
  }
  EXPECT_TRUE(model::Validate(testing::SmallImageNetwork(1)).ok());
}

TEST(RandomNetworkTest, GivesEveryKindOfLayerOnTheWayToTheAnswer) {
  int shortcuts = 0, chained = 0, maximums = 0, sums = 0, grouped = 0, with_sign = 0, unread = 0;
  for (uint64_t seed = 0; seed < 24; ++seed) {
    const Network network = RandomNetwork(seed);
    const std::vector<bool> needed = model::NeededLayers(network, LastHead(network));
    for (size_t i = 1; i < network.layers.size(); ++i) {
      const model::Layer& layer = network.layers[i];
      unread += !needed[i];
      if (!needed[i]) continue;
      maximums += layer.op == model::Op::kMaxPool;
      sums += layer.op == model::Op::kSumPool;
      grouped += !layer.dense && network.layers[static_cast<size_t>(layer.input)].Divided();
      with_sign += layer.activation == model::Activation::kSigned;
      if (layer.shortcut == model::kNoLayer) continue;
      ++shortcuts;
      chained += network.layers[static_cast<size_t>(layer.shortcut)].shortcut != model::kNoLayer;
    }
  }
  for (const int count : {shortcuts, chained, maximums, sums, grouped, with_sign, unread}) {
    EXPECT_GE(count, 2);
  }
}

TEST(RandomNetworkTest, GivesLogitsThatDependOnTheImage) {
  int different = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Network network = RandomNetwork(seed);
    const auto logits =
        DirectLogitsOfBatch(network, 14, LastHead(network), RandomPixels(seed, network, 2), 2);
    different += !std::equal(logits.begin(), logits.begin() + 10, logits.begin() + 10);
  }
  EXPECT_GE(different, 27);
}

TEST(ExecutionTest, EqualsTheDefinitionForEverySubNetworkOnEveryPath) {
  for (uint64_t seed = 0; seed < 24; ++seed) {
    const Network network = RandomNetwork(seed, {.groups = 1 + static_cast<int>(seed % 4)});
    const int n = 1 + static_cast<int>(seed % 3);
    const auto pixels = RandomPixels(seed, network, n);
    for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
      const GroupSet set = network.sub_networks[static_cast<size_t>(s)].groups;
      const auto expected = DirectLogitsOfBatch(network, s, LastHead(network), pixels, n);
      for (const kernels::Path path : kernels::SupportedPaths()) {
        ASSERT_EQ(
            OnOneDevice(network, {.groups = set, .local = set, .max_batch = 3}, path, pixels, n),
            expected)
            << "seed " << seed << " sub-network " << s << " path " << kernels::PathName(path);
      }
    }
  }
}

TEST(ExecutionTest, EqualsTheDefinitionWhereAHeadAnswersWithAMap) {
  int maps = 0, exits = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Network network = RandomNetwork(seed, {.groups = 1 + static_cast<int>(seed % 3),
                                                 .exits = true,
                                                 .map_heads = true,
                                                 .classes = seed % 2 == 0 ? 1 : 10});
    ASSERT_TRUE(model::Validate(network).ok()) << model::Validate(network).ToString();
    if (!model::HasMapHead(network)) continue;
    const int n = 1 + static_cast<int>(seed % 9);
    const auto pixels = RandomPixels(seed, network, n);
    for (LayerIndex head = 1; head <= LastHead(network); ++head) {
      const model::Layer& layer = network.layers[static_cast<size_t>(head)];
      if (layer.op != model::Op::kLinear) continue;
      maps += layer.out_h * layer.out_w > 1;
      exits += layer.out_h * layer.out_w > 1 && head != LastHead(network);
      for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
        const GroupSet set = network.sub_networks[static_cast<size_t>(s)].groups;
        const auto expected = DirectLogitsOfBatch(network, s, head, pixels, n);
        for (const kernels::Path path : kernels::SupportedPaths()) {
          const PlanSpec spec{
              .groups = set, .local = set, .head = head, .max_batch = 9, .exits = false};
          ASSERT_EQ(OnOneDevice(network, spec, path, pixels, n), expected)
              << "seed " << seed << " sub-network " << s << " path " << kernels::PathName(path);
        }
        if (set.size() < 2) continue;
        // Partial sums of two devices, at every position.
        const GroupSet first = GroupSet::Single(*set.begin());
        std::vector<SplitDevice> devices;
        for (const GroupSet local : {first, set - first}) {
          devices.push_back(
              MakeDevice(network, {.groups = set, .local = local, .head = head, .max_batch = 9},
                         kernels::BestPath()));
        }
        ASSERT_EQ(RunSplit(network, devices, pixels, n, seed), expected) << "seed " << seed;
      }
    }
  }
  EXPECT_GE(maps, 10);
  EXPECT_GE(exits, 2);
}

TEST(ExecutionTest, GivesTheSameBitsInBatchesLargerThanABlock) {
  const Network network = testing::SmallImageNetwork(5);
  const GroupSet all = GroupSet::First(4);
  const auto pixels = RandomPixels(5, network, 37);
  const auto expected = DirectLogitsOfBatch(network, 14, LastHead(network), pixels, 37);
  for (const kernels::Path path : kernels::SupportedPaths()) {
    EXPECT_EQ(
        OnOneDevice(network, {.groups = all, .local = all, .max_batch = 64}, path, pixels, 37),
        expected)
        << kernels::PathName(path);
  }
}

// The groups of `set`, dealt out to two to four devices as far as they reach.
std::vector<GroupSet> Deal(Rng& rng, GroupSet set) {
  std::vector<GroupSet> shares(std::min<size_t>(rng.Below(3) + 2, static_cast<size_t>(set.size())));
  size_t dealt = 0;
  for (const int group : set) {
    const size_t to = dealt < shares.size() ? dealt : rng.Below(shares.size());
    shares[to] = shares[to].With(group);
    ++dealt;
  }
  return shares;
}

TEST(ExecutionTest, GivesTheSameBitsSplitOverTwoToFourDevicesOnEveryPath) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Network network = RandomNetwork(seed);
    Rng rng(seed);
    const auto sub_network = static_cast<size_t>(rng.Below(network.sub_networks.size()));
    const GroupSet set = network.sub_networks[sub_network].groups;
    const std::vector<GroupSet> shares = Deal(rng, set);
    const int n = static_cast<int>(rng.Between(1, 3));
    const auto pixels = RandomPixels(seed, network, n);
    const auto expected =
        DirectLogitsOfBatch(network, static_cast<int>(sub_network), LastHead(network), pixels, n);
    for (const kernels::Path path : kernels::SupportedPaths()) {
      std::vector<SplitDevice> devices;
      for (const GroupSet share : shares) {
        devices.push_back(
            MakeDevice(network, {.groups = set, .local = share, .max_batch = 3}, path));
      }
      // Twice over the same executions: a run leaves nothing behind.
      for (uint64_t order = 0; order < 2; ++order) {
        ASSERT_EQ(RunSplit(network, devices, pixels, n, 2 * seed + order), expected)
            << "seed " << seed << " on " << devices.size() << " devices, path "
            << kernels::PathName(path);
      }
    }
  }
}

TEST(ExecutionTest, GivesTheSameBitsOnDevicesOfUnlikePaths) {
  const Network network = testing::SmallImageNetwork(3);
  const GroupSet all = GroupSet::First(4);
  std::vector<SplitDevice> devices;
  devices.push_back(
      MakeDevice(network, {.groups = all, .local = GroupSet(0b0101)}, kernels::BestPath()));
  devices.push_back(
      MakeDevice(network, {.groups = all, .local = GroupSet(0b1010)}, kernels::Path::kScalar));
  const auto pixels = RandomPixels(3, network, 1);
  EXPECT_EQ(RunSplit(network, devices, pixels, 1, 1),
            DirectLogitsOfBatch(network, 14, LastHead(network), pixels, 1));
}

}  // namespace
}  // namespace braid::runtime
