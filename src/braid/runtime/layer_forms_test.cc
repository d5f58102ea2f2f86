// Layers that read several maps, and convolutions whose filters read few channels: the answer is
// the network's definition, on every path, on one device or split over several.
#include <gtest/gtest.h>

#include <algorithm>

#include "braid/model/file.h"
#include "braid/model/layer_map.h"
#include "braid/runtime/execution.h"
#include "braid/runtime/layer_geometry.h"
#include "braid/runtime/testing/direct_network.h"
#include "braid/runtime/testing/random_network.h"
#include "braid/runtime/testing/split_run.h"

namespace braid::runtime {
namespace {

using model::Layer;
using model::LayerIndex;
using model::Network;
using model::Op;
using testing::DirectLogitsOfBatch;
using testing::MakeDevice;
using testing::RandomPixels;
using testing::RunSplit;
using testing::SplitDevice;

// Both forms, with all that else occurs.
Network NetworkOfForms(uint64_t seed, int groups) {
  return testing::RandomNetwork(seed, {.groups = groups,
                                       .exits = seed % 2 == 0,
                                       .concatenations = true,
                                       .filters = true,
                                       .padding = seed % 3 == 1,
                                       .map_heads = seed % 5 == 0,
                                       .max_layers = 9});
}

LayerIndex LastHead(const Network& network) {
  return static_cast<LayerIndex>(network.layers.size()) - 1;
}

TEST(LayerFormsTest, RandomNetworksHoldEveryCaseOnTheWayToTheAnswer) {
  int several = 0, heads = 0, with_image = 0, grouped = 0, unlike_kinds = 0, depthwise = 0,
      by_sums = 0, generated = 0, added_to = 0, read_wide = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Network network = NetworkOfForms(seed, 1 + static_cast<int>(seed % 3));
    const Status valid = model::Validate(network);
    ASSERT_TRUE(valid.ok()) << "seed " << seed << ": " << valid.ToString();
    const std::vector<bool> needed = model::NeededLayers(network, LastHead(network));
    for (size_t i = 1; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      if (!needed[i]) continue;
      if (layer.shortcut != model::kNoLayer) {
        read_wide += LayerAt(network, layer.shortcut).filter_channels > 0;
      }
      if (!layer.more_inputs.empty()) {
        ++several;
        heads += layer.op == Op::kLinear;
        grouped += !layer.dense && network.groups > 1;
        for (const LayerIndex input : layer.more_inputs) {
          with_image += input == 0;
          unlike_kinds +=
              LayerAt(network, input).activation != LayerAt(network, layer.input).activation;
        }
      }
      if (layer.filter_channels == 0) continue;
      const bool sums = RunsAsFilterSums(network, layer, kernels::Path::kScalar);
      depthwise += layer.filter_channels == 1;
      by_sums += sums && layer.filter_channels > 1;
      generated += !sums;
      added_to += layer.shortcut != model::kNoLayer;
    }
  }
  for (const int count : {several, heads, with_image, grouped, unlike_kinds, depthwise, by_sums,
                          generated, added_to, read_wide}) {
    EXPECT_GE(count, 2) << ::testing::PrintToString(std::vector<int>{
        several, heads, with_image, grouped, unlike_kinds, depthwise, by_sums, generated, added_to,
        read_wide});
  }
}

TEST(LayerFormsTest, EqualTheDefinitionForEverySubNetworkAndHeadOnEveryPath) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Network network = NetworkOfForms(seed, 1 + static_cast<int>(seed % 3));
    const int n = 1 + static_cast<int>(seed % 3);
    const auto pixels = RandomPixels(seed, network, n);
    for (LayerIndex head = 1; head <= LastHead(network); ++head) {
      if (LayerAt(network, head).op != Op::kLinear) continue;
      for (int s = 0; s < static_cast<int>(network.sub_networks.size()); ++s) {
        const GroupSet set = network.sub_networks[static_cast<size_t>(s)].groups;
        const auto expected = DirectLogitsOfBatch(network, s, head, pixels, n);
        for (const kernels::Path path : kernels::SupportedPaths()) {
          std::vector<SplitDevice> device;
          device.push_back(MakeDevice(
              network,
              {.groups = set, .local = set, .head = head, .max_batch = 3, .exits = false}, path));
          ASSERT_EQ(RunSplit(network, device, pixels, n, 0), expected)
              << "seed " << seed << " head " << head << " sub-network " << s << " path "
              << kernels::PathName(path);
        }
      }
    }
  }
}

TEST(LayerFormsTest, GiveTheSameBitsSplitOverDevicesOnEveryPath) {
  int awaited_twice = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Network network = NetworkOfForms(seed, 3);
    const auto all = static_cast<int>(network.sub_networks.size()) - 1;
    const GroupSet set = GroupSet::First(3);
    const auto pixels = RandomPixels(seed, network, 2);
    const auto expected = DirectLogitsOfBatch(network, all, LastHead(network), pixels, 2);
    for (const kernels::Path path : kernels::SupportedPaths()) {
      std::vector<SplitDevice> devices;
      for (const GroupSet local : {GroupSet(0b101), GroupSet(0b010)}) {
        devices.push_back(
            MakeDevice(network, {.groups = set, .local = local, .max_batch = 2}, path));
      }
      ASSERT_EQ(RunSplit(network, devices, pixels, 2, seed), expected)
          << "seed " << seed << " path " << kernels::PathName(path);
    }
    const std::vector<bool> needed = model::NeededLayers(network, LastHead(network));
    for (size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      awaited_twice += needed[i] && layer.op == Op::kConv && layer.dense &&
                       std::count_if(layer.more_inputs.begin(), layer.more_inputs.end(),
                                     [](LayerIndex input) { return input != 0; }) > 0;
    }
  }
  EXPECT_GE(awaited_twice, 2);
}

// As many maps as a layer may read, in a chain where each reads all before it.
TEST(LayerFormsTest, RunChainsInWhichEachLayerReadsAllBeforeIt) {
  constexpr int kLayers = 24;
  const Network network = testing::ConcatenatingNetwork(7, kLayers);
  ASSERT_TRUE(model::Validate(network).ok()) << model::Validate(network).ToString();
  const GroupSet both = GroupSet::First(2);
  const auto pixels = RandomPixels(7, network, 2);
  const auto expected = DirectLogitsOfBatch(network, 2, LastHead(network), pixels, 2);
  for (const kernels::Path path : kernels::SupportedPaths()) {
    std::vector<SplitDevice> one, two;
    one.push_back(MakeDevice(network, {.groups = both, .local = both, .max_batch = 2}, path));
    EXPECT_EQ(RunSplit(network, one, pixels, 2, 1), expected) << kernels::PathName(path);
    for (const int group : both) {
      two.push_back(MakeDevice(
          network, {.groups = both, .local = GroupSet::Single(group), .max_batch = 2}, path));
    }
    EXPECT_EQ(RunSplit(network, two, pixels, 2, 1), expected) << kernels::PathName(path);
  }
}

}  // namespace
}  // namespace braid::runtime
